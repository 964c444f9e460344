//! The gallery: its list, its stories on the terminal, its pictures.

use std::fs;

use crate::said::say;

#[test]
fn the_gallery_lists_what_run_plays() {
    let list = say(&["sim", "gallery"]).ok();
    let tags: Vec<&str> =
        list.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    assert!(tags.len() >= 25 && tags.contains(&"s1_13") && tags.contains(&"s0_01"), "{list}");
    let json = say(&["sim", "gallery", "-o", "json"]).ok();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let named: Vec<&str> =
        json.as_array().unwrap().iter().map(|story| story["tag"].as_str().unwrap()).collect();
    assert_eq!(named, tags);
}

#[test]
fn a_story_is_told_as_a_timeline() {
    let told = say(&["sim", "run", "s1_13", "--twice"]).ok();
    assert!(told.starts_with("s1_13 · "), "{told}");
    assert!(told.contains("seconds   n1  n2  n3  n4  n5"), "{told}");
    assert!(told.contains("becomes leader in term 2"), "{told}");
    assert!(!told.contains('\x1b'), "colours are for terminals");
    let end: Vec<&str> = told.lines().rev().take(2).collect();
    assert_eq!(end, ["verdict  it is so", "twice    the same"]);
    assert_eq!(told, say(&["sim", "run", "s1_13", "--twice"]).ok());
}

#[test]
fn a_story_of_a_pool_is_told_drawn_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let [svg, json] = ["a.svg", "a.json"].map(|name| folder.path().join(name));
    let (svg, json) = (svg.to_str().unwrap(), json.to_str().unwrap());
    let told = say(&["sim", "run", "s3_05", "--twice", "--svg", svg, "--json", json]).ok();
    assert!(told.starts_with("s3_05 · ") && told.contains("I live, as 2"), "{told}");
    let end: Vec<&str> = told.lines().rev().take(2).collect();
    assert_eq!(end, ["verdict  it is so", "twice    the same"]);
    assert_well_formed(&fs::read_to_string(svg).unwrap());
    let lines: Vec<String> = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    assert!(lines.len() > told.lines().count(), "routine stands in the file alone");
}

#[test]
fn a_story_of_leaders_is_told_drawn_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let [svg, json] = ["a.svg", "a.json"].map(|name| folder.path().join(name));
    let (svg, json) = (svg.to_str().unwrap(), json.to_str().unwrap());
    let told = say(&["sim", "run", "s2_06", "--twice", "--svg", svg, "--json", json]).ok();
    assert!(told.starts_with("s2_06 · ") && told.contains("step 3: n3 is leading"), "{told}");
    let end: Vec<&str> = told.lines().rev().take(2).collect();
    assert_eq!(end, ["verdict  it is so", "twice    the same"]);
    assert_well_formed(&fs::read_to_string(svg).unwrap());
    let lines: Vec<String> = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    assert!(lines.len() > 10, "{lines:?}");
}

#[test]
fn a_story_is_drawn_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let [svg, json] = ["a.svg", "a.json"].map(|name| folder.path().join(name));
    let (svg, json) = (svg.to_str().unwrap(), json.to_str().unwrap());
    let said = say(&["sim", "run", "s0_01", "--svg", svg, "--json", json, "-o", "json"]).ok();
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["tag"], &said["broken"]), (&"s0_01".into(), &serde_json::Value::Null));
    let drawn = fs::read_to_string(svg).unwrap();
    assert_well_formed(&drawn);
    assert!(drawn.contains("s0_01"));
    let record: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(record["nodes"].as_array().unwrap().len(), 3);
    assert!(record["lines"].as_array().unwrap().len() > 10);
}

#[test]
fn the_gallery_is_drawn_into_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = folder.path().join("new/pictures");
    let list = say(&["sim", "gallery", "--svg", pictures.to_str().unwrap()]).ok();
    let drawn = fs::read_dir(&pictures).unwrap().count();
    assert_eq!(drawn, list.lines().count() - 1);
    for file in fs::read_dir(&pictures).unwrap() {
        assert_well_formed(&fs::read_to_string(file.unwrap().path()).unwrap());
    }
}

/// Every element is closed in its turn, and nothing but text stands between them.
pub(crate) fn assert_well_formed(document: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut elements = 0;
    for (number, part) in document.split('<').enumerate() {
        let Some((tag, text)) = part.split_once('>') else {
            assert!(number == 0 && part.trim().is_empty(), "an element without end: {part}");
            continue;
        };
        assert!(!text.contains('>'), "a bracket in the text {text}");
        let name = tag.split([' ', '\n', '/']).find(|word| !word.is_empty()).unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "<{tag}>");
        } else if !tag.ends_with('/') && !tag.starts_with(['?', '!']) {
            open.push(name);
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "<{tag}>");
        elements += 1;
    }
    assert!(open.is_empty() && elements > 20, "{elements} elements, {open:?} are open");
    assert!(document.contains("<svg ") && !document.contains("NaN"));
}
