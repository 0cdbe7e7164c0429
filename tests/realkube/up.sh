# shellcheck shell=bash disable=SC2154 # its settings stand in realkube
# Bringing clusters up, side by side, and stopping them when their owner is gone.

up() {
  local owner='' names=() name count=${2:-} dir is_node=0
  (($# >= 2)) || die 'up needs DIR and N'
  [[ $count =~ ^[1-9][0-9]?$ ]] || die "N is a number, not '$count'"
  ((count <= clusters_max)) || die "N is at most $clusters_max"
  umask 077 # keys and tokens
  mkdir -p -- "$1"
  dir=$(cd -- "$1" && pwd -P)
  shift 2
  while (($# > 0)); do
    if [[ $1 == --node ]]; then
      is_node=1
      shift
      continue
    fi
    (($# >= 2)) || die "$1 needs a value"
    case $1 in
      --names) IFS=, read -r -a names <<<"$2" ;;
      --owner) owner=$2 ;;
      *) die "unknown option $1" ;;
    esac
    shift 2
  done
  ((${#names[@]} > 0)) || mapfile -t names < <(seq -f 'kube%g' "$count")
  ((${#names[@]} == count)) || die "${#names[@]} names for $count clusters"
  ((is_node == 0 || count == 1)) || die 'one cluster at a time can have a real node'
  need openssl setsid base64
  for name in "${processes[@]}" kubectl; do
    [[ -x $bin/$name ]] || die "$bin/$name is missing: run '$here/realkube build' first"
  done
  check_names "$dir" "${names[@]}"
  for name in "${names[@]}"; do
    prepare "$dir/$name"
    ((is_node == 0)) || prepare_node "$dir/$name"
  done
  watch_over "$dir" "$owner"
  if bring_up_all "$dir" "${names[@]}" && owner_lives "$dir" "$owner"; then
    return
  fi
  for name in "${names[@]}"; do
    stop_cluster "$dir/$name" &
  done
  wait
  stop "$dir" owner-watch
  die "up failed; what it started is stopped, logs are in $dir/NAME/logs"
}

check_names() {
  local dir=$1 name process
  shift
  [[ $(printf '%s\n' "$@" | sort | uniq -d) == '' ]] || die "a name is given twice: $*"
  # Those of clusters that are down belong to them.
  for name in "$dir"/*/; do
    [[ ! -f ${name}ports ]] || taken+="$(<"${name}ports") "
  done
  for name in "$@"; do
    [[ $name =~ ^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$ ]] || die "'$name' is no name for a cluster (a-z, 0-9, -)"
    for process in "${processes[@]}" "${node_processes[@]}"; do
      ! alive "$dir/$name" "$process" || die "$name runs already: '$here/realkube down $dir $name' stops it"
    done
  done
}

bring_up_all() {
  local dir=$1 name pid failed=0
  local -a pids=()
  shift
  trap 'aborted=1' INT TERM HUP
  for name in "$@"; do
    bring_up "$dir/$name" &
    pids+=("$!")
  done
  for pid in "${pids[@]}"; do
    # A signal ends this wait early: pass it on, and wait again, so that nothing is started behind our back.
    until wait "$pid"; do
      if ((aborted == 1)); then
        kill -s TERM "${pids[@]}" 2>/dev/null || true
        aborted=2
      fi
      kill -s 0 "$pid" 2>/dev/null && continue
      failed=1
      break
    done
  done
  ((failed == 0 && aborted == 0))
}

# One cluster, in a subshell. No `set -e` inside conditions: each step says what follows from its failure.
bring_up() {
  local dir=$1 api_port begin=$SECONDS
  trap 'aborted=1' INT TERM HUP
  read -r _ _ api_port <"$dir/ports"
  start "$dir" etcd
  await "$dir" etcd etcd_serves || return 1
  start "$dir" kube-apiserver
  await "$dir" kube-apiserver apiserver_ready || return 1
  has_node "$dir" || await "$dir" kube-apiserver node_made || return 1
  start "$dir" kube-controller-manager
  start "$dir" kube-scheduler
  if has_node "$dir"; then
    bring_up_node "$dir" || return 1
  else
    start "$dir" kwok
    await "$dir" kwok node_ready || return 1
  fi
  printf '%s https://127.0.0.1:%s %s/kubeconfig ready in %s s\n' "${dir##*/}" "$api_port" "$dir" "$((SECONDS - begin))"
}

# A process of its own that stops everything in DIR as soon as the owner is gone, however that ended.
watch_over() {
  local dir=$1 owner=$2 born
  [[ -n $owner ]] || return 0
  born=$(birth "$owner") || die "--owner: no process $owner"
  stop "$dir" owner-watch
  spawn "$dir" owner-watch "$dir/owner-watch.log" "$here/realkube" watch-owner "$dir" "$owner" "$born"
}

owner_lives() { [[ -z $2 ]] || alive "$1" owner-watch; }

watch_owner() {
  local dir=$1 owner=$2 born=$3 now
  while now=$(birth "$owner") && [[ $now == "$born" ]]; do
    sleep 0.5
  done
  down "$dir"
}
