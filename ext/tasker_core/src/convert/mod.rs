//! Values across the boundary. Free JSON goes in one pass, without a tree: [`json_in`] from Ruby
//! to text, [`json_out`] from text to Ruby. [`input`] reads a Hash into a typed struct;
//! [`record`] makes a typed result a Ruby object; [`keys`] has the keys of what comes out; [`output`] makes the small values that readers give, which [`fields`] lists.

pub mod fields;
pub mod input;
pub mod json_in;
pub mod json_out;
pub mod keys;
pub mod output;
pub mod record;
pub mod symbols;
pub mod text;
