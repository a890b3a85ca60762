//! One list of a class's fields makes its readers and its `to_h`.

/// `fields!(Class: a, b)` has `Class::define_fields` define the readers `a` and `b`, and `to_h`, a Hash of all with
/// Symbol keys. Each field is a function of `Class` from (&Ruby, &Self) to a [`Read`].
macro_rules! fields {
    ($class:ident: $($field:ident),+ $(,)?) => {
        impl $class {
            fn define_fields(ruby: &magnus::Ruby, class: magnus::RClass) -> Result<(), magnus::Error> {
                use magnus::Module as _;
                $(
                    class.define_method($crate::convert::fields::plain(stringify!($field)), magnus::method!($class::$field, 0))?;
                    magnus::value::LazyId::force(&$class::symbols().$field, ruby);
                )+
                class.define_method("to_h", magnus::method!($class::to_h, 0))
            }

            fn to_h(ruby: &magnus::Ruby, this: &Self) -> Result<magnus::RHash, $crate::errors::Failure> {
                use magnus::value::{LazyId, ReprValue as _};
                let symbols = $class::symbols();
                let pairs = [$(
                    magnus::Symbol::from(LazyId::get_inner_with(&symbols.$field, ruby)).as_value(),
                    $class::$field(ruby, this)?,
                )+];
                let hash = ruby.hash_new();
                hash.bulk_insert(&pairs)?;
                Ok(hash)
            }

            fn symbols() -> &'static Symbols {
                static SYMBOLS: Symbols = Symbols { $($field: magnus::value::LazyId::new($crate::convert::fields::plain(stringify!($field))),)+ };
                &SYMBOLS
            }
        }

        /// The names of the fields as Symbols, each looked up once.
        struct Symbols {
            $($field: magnus::value::LazyId,)+
        }
    };
}

pub(crate) use fields;

/// A field's name in Ruby, where one that is a word of Rust needs no mark.
pub const fn plain(name: &'static str) -> &'static str {
    let bytes = name.as_bytes();
    let marked = bytes.len() > 2 && bytes[0] == b'r' && bytes[1] == b'#';
    if marked { name.split_at(2).1 } else { name }
}

/// What a reader gives.
pub type Read = Result<magnus::Value, crate::errors::Failure>;
