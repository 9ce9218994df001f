//! Where the records of a name stand in their source.

use crate::wire::RecordType;

use crate::zone::Place;
use crate::zone::record::entry::Entry;
use crate::zone::record::key::Key;
use crate::zone::store::compiled::NodeRef;

/// Where the first record of a name stands; that of this type, if it has one.
pub(in crate::zone) fn place_of(node: NodeRef<'_>, entries: &[Entry<'_>], record_type: RecordType) -> Place {
    let key = Key::of_relative(node.node.owner());
    let key = key.as_octets();
    let first = entries.partition_point(|entry| entry.key() < key);
    // An empty non-terminal is there because of the name after it.
    let records = entries.get(first..).unwrap_or(&[]);
    let own = records.iter().take_while(|entry| entry.key() == key);
    let wanted = own.into_iter().find(|entry| entry.record_type == record_type).or(records.first());
    wanted.map_or(Place::default(), |entry| entry.place)
}
