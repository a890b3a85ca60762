//! What the suites share.
#![allow(dead_code)]

pub mod lab;
