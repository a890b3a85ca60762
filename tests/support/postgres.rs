pub struct TestDatabase { pub url: String }
pub fn blocking_fresh_database() -> TestDatabase { todo!() }
