//! Records from another place: an export of lines, each a record as stores keep it.

#![no_main]

use dariet_gateway::domain::Timestamp;
use dariet_gateway::store::{ExportReader, ExportWriter, Item};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = [b"{\"export\":{\"format\":1}}\n".as_slice(), data].concat();
    let Ok(reader) = ExportReader::begin(&text[..]) else {
        panic!("the first line is one of ours");
    };
    let items: Vec<Item> = reader.map_while(Result::ok).collect();
    // What could be read can be written, and is read again as the same.
    let mut export = ExportWriter::begin(Vec::new(), "", Timestamp::from_secs(0)).expect("a line");
    for item in &items {
        export.add(item).expect("a line");
    }
    let (bytes, _) = export.end().expect("a line");
    let again = ExportReader::begin(&bytes[..]).expect("an export");
    let again: Vec<Item> = again.collect::<Result<_, _>>().expect("items");
    assert_eq!(again, items);
});
