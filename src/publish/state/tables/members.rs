//! The zones that catalogs list (RFC 9432), over restarts: the table `members` of the database.
//!
//! Members as the catalogs had them flow in, in one transaction for each version of a catalog; all of them flow out at a start, before
//! any primary answers. A value that cannot be read is passed over: its catalog lists it again. Never decides who is a member.

use std::collections::BTreeMap;

use redb::{ReadTransaction, WriteTransaction};

use crate::publish::state::database::DatabaseError;
use crate::publish::state::database::fields::{Fields, push_maybe, push_short};
use crate::publish::state::database::zone_table::{self, ZoneTable};
use crate::wire::Name;

/// Made by the first that is kept: an older build of this format knows nothing of it and leaves it as it is.
const MEMBERS: ZoneTable = ZoneTable::new("members");
/// The form of a value; another one is not read.
const FORM: u8 = 1;

/// A zone that a catalog lists, or listed until a short while ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptMember {
    /// The catalog that owns it.
    pub catalog: Name,
    /// The label of its member node: another one means that the zone begins anew (RFC 9432 section 5.4).
    pub label: Box<[u8]>,
    /// The catalog that may take it over (section 4.4.1).
    pub new_owner: Option<Name>,
    /// Its groups (section 4.4.2).
    pub groups: Vec<Box<[u8]>>,
    /// For one that is listed no more: until when its data is kept, in seconds since 1970.
    pub kept_until: Option<u64>,
    /// For one that waits for an operator before it goes or begins anew: the serial of its catalog since which it does.
    pub waits_since: Option<u32>,
}

impl KeptMember {
    /// Whether what is kept of this one belongs to the other, which is listed later: a new label begins anew (RFC 9432 section 5.4), and
    /// so does another owner that has not got it from this one (section 4.4.1). Owners that make labels of the names of zones have
    /// the same one.
    pub(in crate::publish) fn is_same_zone(&self, later: &Self) -> bool {
        let may_own = self.catalog == later.catalog || self.new_owner.as_ref() == Some(&later.catalog);
        may_own && self.label == later.label
    }

    fn octets(&self) -> Vec<u8> {
        let mut out = vec![FORM];
        push_short(&mut out, self.catalog.as_wire());
        push_short(&mut out, &self.label);
        push_maybe(&mut out, self.new_owner.as_ref(), |out, name| push_short(out, name.as_wire()));
        push_maybe(&mut out, self.kept_until, |out, at| out.extend(at.to_be_bytes()));
        let groups = u16::try_from(self.groups.len()).unwrap_or(u16::MAX);
        out.extend(groups.to_be_bytes());
        self.groups.iter().take(groups.into()).for_each(|group| push_short(&mut out, group));
        // At the end, and only where it is said: builds that do not know it read the rest.
        if let Some(since) = self.waits_since {
            out.extend(since.to_be_bytes());
        }
        out
    }

    fn read(octets: &[u8]) -> Option<Self> {
        let mut fields = Fields(octets);
        if fields.u8()? != FORM {
            return None;
        }
        let name = |fields: &mut Fields<'_>| Name::from_wire(fields.short()?).ok();
        let (catalog, label) = (name(&mut fields)?, fields.short()?.into());
        let (new_owner, kept_until) = (fields.maybe(name)?, fields.maybe(Fields::u64)?);
        let count = fields.u16()?;
        let groups = (0..count).map(|_| fields.short().map(Into::into)).collect::<Option<_>>()?;
        let waits_since = match fields.0.is_empty() {
            true => None,
            false => Some(fields.u32()?),
        };
        Some(Self { catalog, label, new_owner, groups, kept_until, waits_since })
    }
}

/// All that are kept.
pub(in crate::publish) fn read_all(
    from: &ReadTransaction,
) -> Result<BTreeMap<Name, KeptMember>, DatabaseError> {
    zone_table::read_all(from, MEMBERS, KeptMember::read)
}

/// Keeps these; none: forgets that of the zone.
pub(in crate::publish) fn write(
    transaction: &WriteTransaction,
    members: &[(Name, Option<KeptMember>)],
) -> Result<(), DatabaseError> {
    let values = members.iter().map(|(zone, member)| (zone, member.as_ref().map(KeptMember::octets)));
    zone_table::write(transaction, MEMBERS, values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::state::database::Database;
    use crate::publish::state::database::fields::key_of;

    #[test]
    fn data_go_to_another_owner_only_by_the_word_of_the_one_before() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let member = |catalog: &str, label: &[u8], new_owner: Option<&str>| KeptMember {
            catalog: name(catalog),
            label: label.into(),
            new_owner: new_owner.map(name),
            groups: Vec::new(),
            kept_until: Some(7),
            waits_since: None,
        };
        let before = member("a.", b"one", Some("c."));
        assert!(before.is_same_zone(&member("A.", b"one", None)));
        assert!(!before.is_same_zone(&member("a.", b"two", None)));
        assert!(!before.is_same_zone(&member("b.", b"one", None)));
        assert!(before.is_same_zone(&member("c.", b"one", None)));
        assert!(!before.is_same_zone(&member("c.", b"two", None)));
    }

    #[test]
    fn members_come_back_and_a_damaged_value_is_none() {
        let database = Database::in_memory().unwrap();
        assert_eq!(database.read(read_all).unwrap(), BTreeMap::new(), "no table yet");
        let name = |text: &str| text.parse::<Name>().unwrap();
        let member = |new_owner, kept_until| KeptMember {
            catalog: name("Cat.example."),
            label: b"one"[..].into(),
            new_owner,
            groups: vec![b"west"[..].into(), b""[..].into()],
            kept_until,
            waits_since: None,
        };
        let (one, other) = (name("One.example."), name("."));
        let kept = [
            (one.clone(), Some(member(None, None))),
            (name("waits."), Some(KeptMember { waits_since: Some(u32::MAX), ..member(None, None) })),
            (other.clone(), Some(member(Some(name("dog.")), Some(7)))),
        ];
        database.write(|to| write(to, &kept)).unwrap();
        let expected: BTreeMap<_, _> =
            kept.iter().filter_map(|(zone, member)| Some((zone.clone(), member.clone()?))).collect();
        assert_eq!(database.read(read_all).unwrap(), expected);
        database.write(|to| write(to, &[(other, None)])).unwrap();
        assert_eq!(database.read(read_all).unwrap().len(), 2);
        let damage = |to: &WriteTransaction| {
            let mut table = to.open_table(MEMBERS).map_err(DatabaseError::of)?;
            table.insert(&*key_of(&one), &b"\x01\x00\xffshort"[..]).map_err(DatabaseError::of)?;
            table
                .insert(&*key_of(&name("waits.")), &b"\x01\x00\x00\x00\x00\x00\x00"[..])
                .map_err(DatabaseError::of)?;
            Ok(())
        };
        database.write(damage).unwrap();
        assert_eq!(database.read(read_all).unwrap(), BTreeMap::new());
    }
}
