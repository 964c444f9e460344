//! The protobuf code of `etcdpb`, made without `protoc` and checked in.
//!
//! A build of the project then needs no generator at all, a review sees what changed, and
//! `codegen --check` proves that the contract in `proto/` and the code still agree.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use prost::Message;

use crate::repo::Repo;

const PROTO: &str = "etcdpb/proto";
const GENERATED: &str = "etcdpb/src/generated";
const DESCRIPTOR: &str = "descriptor.bin";
const COMMAND: &str = "cargo xtask codegen";

/// File name to content.
type Files = BTreeMap<String, Vec<u8>>;

/// Replaces the generated folder by what the contract gives now.
pub(crate) fn generate(repo: &Repo) -> Result<(), Box<dyn Error>> {
    let fresh = compile(repo)?;
    let folder = repo.path(GENERATED);
    fs::create_dir_all(&folder)?;
    let old = read(&folder)?;
    for name in old.keys().filter(|name| !fresh.contains_key(*name)) {
        fs::remove_file(folder.join(name))?;
    }
    for (name, content) in &fresh {
        if old.get(name) != Some(content) {
            fs::write(folder.join(name), content)?;
            println!("wrote {GENERATED}/{name}");
        }
    }
    Ok(())
}

/// Fails, naming the files, when the generated folder is not what the contract gives now.
pub(crate) fn check(repo: &Repo) -> Result<(), Box<dyn Error>> {
    let complaints = differences(&read(&repo.path(GENERATED))?, &compile(repo)?);
    if complaints.is_empty() {
        return Ok(());
    }
    Err(format!("{}\nrun `{COMMAND}` and commit what it writes", complaints.join("\n")).into())
}

fn differences(old: &Files, fresh: &Files) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, content) in fresh {
        match old.get(name) {
            None => complaints.push(format!("{GENERATED}/{name}: missing")),
            Some(old) if old != content => {
                complaints.push(format!("{GENERATED}/{name}: not what {PROTO} says"));
            }
            Some(_) => {}
        }
    }
    for name in old.keys().filter(|name| !fresh.contains_key(*name)) {
        complaints.push(format!("{GENERATED}/{name}: made from nothing in {PROTO}"));
    }
    complaints
}

fn compile(repo: &Repo) -> Result<Files, Box<dyn Error>> {
    let protos: Vec<_> = repo
        .files(PROTO)?
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "proto"))
        .map(|path| repo.path(path))
        .collect();
    if protos.is_empty() {
        return Err(format!("no .proto file in {PROTO}").into());
    }
    let mut compiler = protox::Compiler::new([repo.path(PROTO)])?;
    compiler.include_imports(true).include_source_info(true).open_files(protos)?;
    let described = compiler.file_descriptor_set();

    // Reflection has no use for comments and positions, and they are most of the bytes.
    let mut served = described.clone();
    for file in &mut served.file {
        file.source_code_info = None;
    }

    let folder = tempfile::tempdir()?;
    tonic_prost_build::configure()
        .bytes(".")
        .generate_default_stubs(true)
        .out_dir(folder.path())
        .compile_fds(described)?;
    let mut files = read(folder.path())?;
    files.insert(DESCRIPTOR.to_owned(), served.encode_to_vec());
    Ok(files)
}

fn read(folder: &Path) -> Result<Files, Box<dyn Error>> {
    let mut files = Files::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        files.insert(name, fs::read(entry.path())?);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(pairs: &[(&str, &str)]) -> Files {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn equal_folders_have_no_differences() {
        let same = files(&[("a.rs", "1"), ("b.rs", "2")]);
        assert!(differences(&same, &same).is_empty());
    }

    #[test]
    fn stale_missing_and_orphaned_files_are_named() {
        let old = files(&[("stale.rs", "1"), ("orphan.rs", "2")]);
        let fresh = files(&[("stale.rs", "9"), ("missing.rs", "3")]);
        let complaints = differences(&old, &fresh).join("\n");
        for name in ["stale.rs", "orphan.rs", "missing.rs"] {
            assert!(complaints.contains(name), "{name} is not named in: {complaints}");
        }
    }

    #[test]
    fn the_contract_compiles_and_is_described() {
        let files = compile(&Repo::here()).unwrap();
        let bytes = files[DESCRIPTOR].as_slice();
        let described = prost_types::FileDescriptorSet::decode(bytes).unwrap();
        let methods: usize =
            described.file.iter().flat_map(|file| &file.service).map(|s| s.method.len()).sum();
        assert!(methods > 0, "no method in any service");
        assert!(described.file.iter().all(|file| file.source_code_info.is_none()));
        assert!(files.contains_key("etcdserverpb.rs"));
    }
}
