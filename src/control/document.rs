//! Structures of the status document: every field is public and has a default, and an unknown one is an error.

/// Makes the structures of a part of the document.
macro_rules! document {
    ($($(#[$attribute:meta])* $name:ident { $($(#[$field_attribute:meta])* $field:ident: $kind:ty,)* })*) => {$(
        $(#[$attribute])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$field_attribute])* pub $field: $kind,)* }
    )*};
}

pub(super) use document;
