//! What arrives on a connection, in one piece and in many.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::swim::wire::{Error, Item, Limits, StreamReader, encode_stream};

fuzz_target!(|data: &[u8]| {
    let Some((&piece, data)) = data.split_first() else { return };
    let whole = read(data, data.len().max(1));
    let pieces = read(data, usize::from(piece) + 1);
    assert_eq!(pieces, whole, "a stream is the same however it arrives");
    for item in whole.0 {
        let Item::Message(message) = item else { continue };
        let mut again = Vec::new();
        encode_stream(&message, &mut again);
        let back = read(&again, again.len());
        assert_eq!(back, (vec![Item::Message(message)], None), "a message survives the wire");
    }
});

fn read(data: &[u8], piece: usize) -> (Vec<Item>, Option<Error>) {
    let mut reader = StreamReader::new(Limits::default());
    let mut items = Vec::new();
    for chunk in data.chunks(piece) {
        reader.push(chunk);
        loop {
            match reader.read() {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(error) => return (items, Some(error)),
            }
        }
    }
    (items, None)
}
