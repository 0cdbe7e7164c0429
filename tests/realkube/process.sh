# shellcheck shell=bash disable=SC2154 # its settings stand in realkube
# Processes that outlive the command that starts them. DIR/PROCESS.pid holds the process (and group) id,
# DIR/PROCESS.birth tells it from a stranger that got the same id later.

# Prints when a process was started, in ticks since boot; fails when it is gone or only waits to be reaped.
birth() {
  local stat
  local -a fields
  { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
  read -r -a fields <<<"${stat##*) }"
  # While its other threads end, a process still has its ports.
  [[ ${fields[0]} != [ZX] || ${fields[17]} -gt 1 ]] || return 1
  printf '%s\n' "${fields[19]}"
}

alive() {
  local file=$1/$2 born
  [[ -s $file.pid && -s $file.birth ]] || return 1
  born=$(birth "$(<"$file.pid")") && [[ $born == "$(<"$file.birth")" ]]
}

# spawn DIR PROCESS LOG COMMAND...: in a process group of its own, holding none of our files.
spawn() {
  local file=$1/$2 log=$3 born
  shift 3
  setsid "$@" </dev/null >>"$log" 2>&1 &
  printf '%s\n' "$!" >"$file.pid"
  born=$(birth "$!") || born=0
  printf '%s\n' "$born" >"$file.birth"
}

signal() {
  alive "$1" "$2" || return 0
  kill -s "$3" -- "-$(<"$1/$2.pid")" 2>/dev/null || true
}

# await_end DIR PROCESS...: fails when one of them outlives the bound.
await_end() {
  local dir=$1 process end=$((SECONDS + stop_seconds_max))
  shift
  for process in "$@"; do
    while alive "$dir" "$process"; do
      ((SECONDS < end)) || return 1
      sleep 0.05
    done
    rm -f "$dir/$process.pid" "$dir/$process.birth"
  done
}

# stop DIR PROCESS...: asks all of them, then insists. A frozen process is woken first, else it would not hear.
stop() {
  local dir=$1 process
  shift
  for process in "$@"; do
    signal "$dir" "$process" TERM
    signal "$dir" "$process" CONT
  done
  await_end "$dir" "$@" && return
  for process in "$@"; do
    signal "$dir" "$process" KILL
  done
  await_end "$dir" "$@" || printf 'realkube: %s: a process outlived SIGKILL (%s)\n' "$dir" "$*" >&2
}
