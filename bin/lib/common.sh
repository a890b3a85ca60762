# shellcheck shell=bash
# What the project's commands share: words for the terminal, and what must be installed.
# Source it after `set -euo pipefail`.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# Rust's installer puts cargo here; a new shell has it on its path, a script may not.
if ! command -v cargo >/dev/null && [[ -x "${HOME:-/nonexistent}/.cargo/bin/cargo" ]]; then
  PATH="$HOME/.cargo/bin:$PATH"
fi

# shellcheck disable=SC2034 # for those who source this
bold='' red='' green='' plain=''
# shellcheck disable=SC2034
if [[ -t 1 && -z "${NO_COLOR:-}" && "${TERM:-dumb}" != dumb ]]; then
  bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
fi

say() { printf '%s==>%s %s\n' "$bold" "$plain" "$*"; }
die() {
  printf '%s%s%s\n' "$red" "$*" "$plain" >&2
  exit 1
}

# The comment at a script's head is its help: from line 2 to the first line that is no comment.
print_help() { sed -n -e '2,${ /^#/!q; s/^# \{0,1\}//p; }' "$1"; }

# What each purpose needs, by the names of Debian's packages; the commands choose.
# shellcheck disable=SC2034
{
  build_packages=(ruby ruby-dev bundler rake libclang-dev clang gcc make)
  gem_packages=(ruby-rb-sys) # for gem install, which goes through extconf.rb
  lint_packages=(rubocop yard)
  spec_packages=(ruby-rspec ruby-simplecov ruby-rails ruby-sqlite3 ruby-pg ruby-minitest puma sqlite3 yard)
  database_packages=(postgresql pgbouncer)
  matrix_packages=(debootstrap) # another Debian, with another Ruby
  clock_packages=(faketime) # a process whose host's clock jumps
}

# Whether a package's purpose is served, from wherever it came.
served() {
  case "$1" in
    ruby) command -v ruby >/dev/null && ruby -e 'exit Gem::Version.new(RUBY_VERSION) >= Gem::Version.new("3.1")' ;;
    ruby-dev) command -v ruby >/dev/null && ruby -e 'exit File.exist?("#{RbConfig::CONFIG["rubyhdrdir"]}/ruby.h")' ;;
    bundler) command -v bundle >/dev/null ;;
    libclang-dev) libclang_there ;;
    gcc) command -v cc >/dev/null ;;
    ruby-rspec) command -v rspec >/dev/null ;;
    ruby-simplecov) gem_there simplecov ;;
    ruby-rails) gem_there rails ;;
    ruby-sqlite3) gem_there sqlite3 ;;
    ruby-pg) gem_there pg ;;
    ruby-minitest) gem_there minitest ;;
    ruby-rb-sys) gem_there rb_sys ;;
    postgresql) postgres_folder >/dev/null ;;
    llvm-19) command -v llvm-cov-19 >/dev/null ;;
    linux-perf) command -v perf >/dev/null ;;
    pgbouncer) command -v pgbouncer >/dev/null || [[ -x /usr/sbin/pgbouncer ]] ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

gem_there() { command -v ruby >/dev/null && ruby -e 'gem ARGV[0]' "$1" 2>/dev/null; }

libclang_there() {
  if [[ -n "${LIBCLANG_PATH:-}" ]]; then return 0; fi
  if command -v dpkg-query >/dev/null; then
    [[ $(dpkg-query -W -f '${db:Status-Status}' libclang-dev 2>/dev/null) == installed ]] && return 0
  fi
  compgen -G '/usr/lib/llvm-*/lib/libclang.so' >/dev/null || compgen -G '/usr/lib*/libclang.so' >/dev/null ||
    compgen -G '/opt/homebrew/opt/llvm/lib/libclang.dylib' >/dev/null
}

# The folder with initdb and pg_ctl; the newest where there are several.
postgres_folder() {
  local folder
  folder=$(find /usr/lib/postgresql -mindepth 3 -maxdepth 3 -path '*/bin/initdb' 2>/dev/null | sort -V | tail -1)
  if [[ -n "$folder" ]]; then
    dirname "$folder"
  elif command -v initdb >/dev/null; then
    dirname "$(command -v initdb)"
  else
    return 1
  fi
}

# need_packages NAME...: installs those that are missing, or says how to.
need_packages() {
  local missing=() name
  for name in "$@"; do
    served "$name" || missing+=("$name")
  done
  if ((${#missing[@]} == 0)); then return 0; fi

  if ! command -v apt-get >/dev/null; then
    die "Missing: ${missing[*]} (the names of Debian's packages; rb_sys and the other Ruby ones are gems too).
Install them with this system's package manager, or with \`gem install\`, and start again."
  fi
  say "Missing: ${missing[*]}"
  local installer="$root/bin/lib/install-packages"
  if ((EUID == 0)); then
    "$installer" "${missing[@]}"
  elif sudo -n true 2>/dev/null; then
    sudo -n "$installer" "${missing[@]}"
  else
    die "Neither root nor sudo without a password. Please run this line, then start again:
  sudo $installer ${missing[*]}"
  fi
  hash -r
  for name in "${missing[@]}"; do
    served "$name" || die "$name was installed, but what it is for still can't be found."
  done
}

# Cargo can't come from Debian 12, whose Rust is too old for the engine.
need_cargo() {
  local wanted found
  wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$root/Cargo.toml")
  command -v cargo >/dev/null ||
    die "The engine is written in Rust: please install cargo $wanted or later, with rustup for instance, and start again."
  found=$(cd "$root" && cargo --version | cut -d ' ' -f 2)
  [[ $(printf '%s\n' "$wanted" "$found" | sort -V | head -1) == "$wanted" ]] ||
    die "The engine needs Rust $wanted or later, and this is Rust $found: please run \`rustup update\` and start again."
}

# need_room GIGABYTES FOLDER: ends here where the disk has less. A full one fails whatever happens to write last.
need_room() {
  local free
  free=$(df -Pk "$2" | awk 'NR == 2 { print int($4 / 1000 / 1000) }')
  ((free >= $1)) || die "The disk of $2 has $free GB free, and this takes $1: please make room, and start again."
}
