//! Throw-away PostgreSQL databases.
//!
//! With `TASKER_TEST_DATABASE_URL` in the environment each test gets a fresh database on that
//! server; otherwise this process starts a server of its own, with durability as by default.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};

/// A database of its own for one test; dropped with this value.
pub struct TestDatabase {
    /// Its URL.
    pub url: String,
    server: String,
    name: String,
}

/// An empty database with a name that no other test has.
pub async fn fresh_database() -> TestDatabase {
    database_on(match std::env::var("TASKER_TEST_DATABASE_URL") {
        Ok(url) => url,
        Err(_) => Server::of_this_process().url(),
    })
    .await
}

/// An empty database on the server with this URL.
pub async fn database_on(server: String) -> TestDatabase {
    let name = format!("tasker_test_{}", uuid::Uuid::now_v7().as_simple());
    let mut connection = PgConnection::connect(&server).await.expect("the test server is there");
    execute(&mut connection, format!("CREATE DATABASE {name}")).await;
    connection.close().await.expect("closed");
    let mut url = url::Url::parse(&server).expect("a URL");
    url.set_path(&name);
    TestDatabase { url: url.to_string(), server, name }
}

impl TestDatabase {
    /// A plain connection, to look at the database behind the store's back.
    pub async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.expect("the test database is there")
    }

    /// This database's URL with more options.
    pub fn url_with(&self, options: &str) -> String {
        let separator = if self.url.contains('?') { '&' } else { '?' };
        format!("{}{separator}{options}", self.url)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // Dropping happens in and out of runtimes: a thread of its own has neither.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                if let Ok(mut connection) = PgConnection::connect(&server).await {
                    execute(&mut connection, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
                }
            });
        });
        let _ = dropping.join();
    }
}

/// Runs one statement.
pub async fn execute(connection: &mut PgConnection, sql: String) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await.expect("the statement succeeds");
}

/// The server of this process. A shell keeps it: when this process ends, however it ends, the shell's
/// input closes, and it stops the server and removes its folder.
pub struct Server {
    pub port: u16,
    keeper: Mutex<Keeper>,
}

const SERVER: &str = r#"
set -e
cd /
dir=$(mktemp -d /tmp/tasker-test-postgres.XXXXXX)
trap 'rm -rf "$dir"' EXIT
"$1/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$dir/initdb.log" 2>&1
start() {
    "$1/postgres" -D "$dir/data" -c port="$2" -c listen_addresses=127.0.0.1 -c unix_socket_directories="$dir" \
        -c max_connections=200 >>"$dir/log" 2>&1 &
    pid=$!
}
stop() {
    kill -"$1" $pid
    wait $pid || true
}
start "$1" "$2"
while read -r command; do
    case "$command" in
        crash) stop QUIT; start "$1" "$2" ;;
        *) break ;;
    esac
done
stop INT
"#;

impl Server {
    /// Started on first use.
    pub fn of_this_process() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(Self::start)
    }

    /// Starts a server on a free port.
    pub fn start() -> Self {
        let port = free_port();
        let keeper = Keeper::start(SERVER, &[&binaries().to_string_lossy(), &port.to_string()], "postgres");
        await_port(port);
        let server = Self { port, keeper: Mutex::new(keeper) };
        await_server(&server.url());
        server
    }

    /// Stops it as a crash would, without a word to anybody, and starts it again at once.
    pub fn crash(&self) {
        let mut keeper = self.keeper.lock().expect("nobody panicked");
        keeper.input.as_mut().expect("it runs").write_all(b"crash\n").expect("the shell listens");
    }

    /// The URL of its `postgres` database.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }
}

/// PgBouncer in transaction mode before a server, with few connections to it.
pub struct Bouncer {
    port: u16,
    _keeper: Keeper,
}

const BOUNCER: &str = r#"
set -e
cd /
dir=$(mktemp -d /tmp/tasker-test-pgbouncer.XXXXXX)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/pgbouncer.ini" <<INI
[databases]
* = host=$2 port=$3 user=$4 $5
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $1
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
INI
pgbouncer "$dir/pgbouncer.ini" >"$dir/log" 2>&1 &
pid=$!
read -r _ || true
kill -TERM $pid
wait $pid || true
"#;

impl Bouncer {
    /// Starts one before the server of `database`.
    pub fn before(database: &TestDatabase) -> Self {
        let url = url::Url::parse(&database.url).expect("a URL");
        let port = free_port();
        let password = url.password().map(|password| format!("password={password}")).unwrap_or_default();
        let arguments = [
            &port.to_string(),
            url.host_str().unwrap_or("127.0.0.1"),
            &url.port().unwrap_or(5432).to_string(),
            url.username(),
            &password,
        ];
        let keeper = Keeper::start(BOUNCER, &arguments, "postgres");
        await_port(port);
        Self { port, _keeper: keeper }
    }

    /// The way through it to `database`.
    pub fn url(&self, database: &TestDatabase) -> String {
        let mut url = url::Url::parse(&database.url).expect("a URL");
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(self.port)).expect("a port");
        url.to_string()
    }
}

/// A shell that runs a script until its input closes.
struct Keeper {
    child: Child,
    input: Option<ChildStdin>,
}

impl Keeper {
    /// As `user` when this is root, which the servers refuse to be.
    fn start(script: &str, arguments: &[&str], user: &str) -> Self {
        let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.starts_with(b"0\n"));
        let mut command = if root { Command::new("runuser") } else { Command::new("sh") };
        if root {
            command.args(["-u", user, "--", "sh"]);
        }
        command.args(["-c", script, "sh"]).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("a shell");
        let input = child.stdin.take();
        Self { child, input }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(mut input) = self.input.take() {
            let _ = input.write_all(b"\n");
        }
        let _ = self.child.wait();
    }
}

/// Where initdb and postgres are.
fn binaries() -> PathBuf {
    let asked = Command::new("pg_config").arg("--bindir").output().ok();
    let asked = asked.and_then(|output| String::from_utf8(output.stdout).ok()).map(|text| PathBuf::from(text.trim()));
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = debian.map(|entry| entry.path().join("bin")).collect();
    found.sort();
    let candidates = asked.into_iter().chain(found.into_iter().rev());
    let has_server = |path: &PathBuf| Path::new(path).join("initdb").exists();
    candidates.into_iter().find(has_server).expect("PostgreSQL is installed (initdb was not found)")
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

fn await_port(port: u16) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "nothing listens on port {port}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until the server has recovered and lets people in.
fn await_server(url: &str) {
    let url = url.to_owned();
    let waiting = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let deadline = Instant::now() + Duration::from_secs(60);
        while runtime.block_on(PgConnection::connect(&url)).is_err() {
            assert!(Instant::now() < deadline, "the test server does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    waiting.join().expect("the test server started");
}
