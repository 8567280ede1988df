//! One line of JSON for each step: what it saw, or the error that it got.

use serde_json::{json, Value};

/// What PostgreSQL says of an error: its code and message.
pub trait Described {
    fn described(&self) -> (String, String);
}

pub fn step<E: Described>(name: &str, result: Result<Value, E>) {
    let line = match result {
        Ok(saw) => json!({"step": name, "saw": saw}),
        Err(error) => {
            let (code, message) = error.described();
            json!({"step": name, "error": {"code": code, "message": message}})
        }
    };
    println!("{line}");
}
