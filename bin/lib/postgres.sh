# shellcheck shell=bash
# A PostgreSQL of the tests' own, with pgbouncer before it, in a temporary folder on free ports.
# Durability is the server's default: what is tested is what users run.

postgres_home=''

# A folder in memory for databases, where four gigabytes are free: its name in databases_folder, else nothing.
make_databases_folder() {
  local folder=/dev/shm room memory
  room=$(df -Pk "$folder" 2>/dev/null | awk 'NR == 2 { print $4 }') || true
  memory=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo 2>/dev/null) || true
  if ((${room:-0} > 4000000 && ${memory:-0} > 4000000)); then
    databases_folder=$(mktemp -d "$folder/tasker-test.XXXXXX")
    # Like /tmp: PostgreSQL and some of the tests' programs run as other users.
    chmod 1777 "$databases_folder"
  fi
}

# Neither server runs as root.
as_postgres() {
  if ((EUID == 0)); then
    (cd "$postgres_home" && runuser -u postgres -- "$@")
  else
    (cd "$postgres_home" && "$@")
  fi
}

free_port() { ruby -rsocket -e 'server = TCPServer.new("127.0.0.1", 0); puts server.addr[1]'; }

# start_postgres [SETTINGS [FOLDER]]: starts both and exports TASKER_TEST_DATABASE_URL and TASKER_TEST_PGBOUNCER_URL.
# SETTINGS are options of the server, such as "-c autovacuum=off"; FOLDER is where its own folder is made.
start_postgres() {
  local bin port pool_port
  bin=$(postgres_folder)
  port=$(free_port)
  postgres_home=$(mktemp -d "${2:-${TMPDIR:-/tmp}}/tasker-postgres.XXXXXX")
  if ((EUID == 0)); then chown postgres: "$postgres_home"; fi

  say "Starting a throw-away PostgreSQL on port $port"
  as_postgres "$bin/initdb" --pgdata data --username postgres --auth trust --encoding UTF8 --locale C.UTF-8 \
    >"$postgres_home/initdb.log" 2>&1 || { cat "$postgres_home/initdb.log" >&2; die "initdb failed"; }
  as_postgres "$bin/pg_ctl" --pgdata data --log server.log --wait --timeout 60 --silent \
    --options "-p $port -k $postgres_home -c listen_addresses=127.0.0.1 -c max_connections=300 ${1:-}" start ||
    { cat "$postgres_home/server.log" >&2; die "PostgreSQL did not start"; }
  as_postgres "$bin/createdb" --host 127.0.0.1 --port "$port" --username postgres tasker_test
  export TASKER_TEST_DATABASE_URL="postgres://postgres@127.0.0.1:$port/tasker_test"

  pool_port=$(free_port)
  cat >"$postgres_home/pgbouncer.ini" <<INI
[databases]
* = host=127.0.0.1 port=$port user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $pool_port
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 500
default_pool_size = 10
logfile = $postgres_home/pgbouncer.log
pidfile = $postgres_home/pgbouncer.pid
INI
  chmod a+r "$postgres_home/pgbouncer.ini"
  as_postgres env PATH="$PATH:/usr/sbin" pgbouncer --daemon --quiet pgbouncer.ini ||
    { cat "$postgres_home/pgbouncer.log" >&2; die "pgbouncer did not start"; }
  export TASKER_TEST_PGBOUNCER_URL="postgres://postgres@127.0.0.1:$pool_port/tasker_test?prepared=false"
}

# Stops both and removes the folder; does nothing where nothing was started.
stop_postgres() {
  [[ -n "$postgres_home" ]] || return 0
  if [[ -s "$postgres_home/pgbouncer.pid" ]]; then kill "$(<"$postgres_home/pgbouncer.pid")" 2>/dev/null || true; fi
  as_postgres "$(postgres_folder)/pg_ctl" --pgdata data --mode immediate --silent stop >/dev/null 2>&1 || true
  rm -rf "$postgres_home"
  postgres_home=''
}
