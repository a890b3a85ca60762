//! What several test suites share.
#![allow(dead_code, reason = "no suite needs all of it")]

pub mod postgres;
