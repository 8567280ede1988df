//! Applications in Rust: `application tokio-postgres` and `application sqlx`. Each prints a line of JSON for each step.

mod report;
mod through_sqlx;
mod through_tokio_postgres;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = std::env::var("DATABASE_URL").expect("DATABASE_URL");
    match std::env::args().nth(1).as_deref() {
        Some("tokio-postgres") => through_tokio_postgres::all(&url).await,
        Some("sqlx") => through_sqlx::all(&url).await,
        _ => panic!("tokio-postgres or sqlx"),
    }
}
