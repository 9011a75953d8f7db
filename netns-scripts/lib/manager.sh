#!/bin/sh
# Starts and stops the manager of a topology, and has hosts join it.
#
#   manager.sh start TOPOLOGY INLAY          INLAY is the binary; initialises the manager where it was not
#   manager.sh stop TOPOLOGY
#   manager.sh enroll TOPOLOGY HOST PREFIX   creates the host, and leaves a join token for its agent's start
#
# Reads   /run/inlay/TOPOLOGY/manager.yaml   the manager's configuration
# Writes  /run/inlay/TOPOLOGY/manager.log    what the manager says
#         /run/inlay/TOPOLOGY/manager.pid
#         /run/inlay/TOPOLOGY/inlay          the binary, run beside the manager, with the operator's context
#         /run/inlay/TOPOLOGY/HOST.join      a join token; removed by the agent's start, since it serves once

set -eu

here=$(dirname "$0")
# shellcheck source=SCRIPTDIR/netns.sh
. "$here/netns.sh"

# The manager's address in the topology, as clients and agents call it.
server=2001:db8:f:ff::2

usage() {
    say "type: $0 start TOPOLOGY INLAY | stop TOPOLOGY | enroll TOPOLOGY HOST PREFIX"
    exit 2
}

# is_manager PID: whether the process is this very topology's manager. A pid file outlives a crash.
is_manager() {
    [ -r "/proc/$1/cmdline" ] || return 1
    case $(tr '\0' ' ' <"/proc/$1/cmdline") in
        *"inlay manager run --config $run/manager.yaml "*) return 0 ;;
        *) return 1 ;;
    esac
}

start() {
    [ -x "$inlay" ] || {
        say "$inlay is not there: type cargo xtask build"
        exit 1
    }
    stop
    [ -e "$run/manager" ] || initialise
    rm -f "$run/manager/listening.json"
    say "[inlay-manager] $inlay manager run --config $run/manager.yaml"
    setsid nsenter --net=/run/netns/inlay-manager \
        "$inlay" manager run --config "$run/manager.yaml" \
        </dev/null >>"$run/manager.log" 2>&1 &
    echo $! >"$run/manager.pid"
    # shellcheck disable=SC2016  # the inner shell expands them
    timeout 30 sh -c 'until [ -e "$1/manager/listening.json" ]; do [ -e "/proc/$2/cmdline" ] || exit 1; done' \
        - "$run" "$(cat "$run/manager.pid")" || {
        say "the manager does not listen; the end of $run/manager.log:"
        tail -n 20 "$run/manager.log" >&2
        exit 1
    }
}

# initialise: CA, database and the operator's token; then the operator's context, and a wrapper that uses it.
initialise() {
    (
        umask 077
        "$inlay" manager init --config "$run/manager.yaml" --output json >"$run/init.json"
        sed -n 's/.*"admin_token": *"\([^"]*\)".*/\1/p' "$run/init.json" >"$run/token"
    )
    cp "$run/manager/ca.pem" "$run/ca.pem"
    cat >"$run/inlay" <<EOF
#!/bin/sh
# inlay, beside the manager, with the operator's context.
INLAY_CONFIG=$run/cli.yaml exec nsenter --net=/run/netns/inlay-manager $inlay "\$@"
EOF
    chmod +x "$run/inlay"
    "$run/inlay" context set "$(basename "$run")" \
        --server "https://[$server]:8443" --ca "$run/ca.pem" --token-file "$run/token" >&2
}

stop() {
    [ -e "$run/manager.pid" ] || return 0
    pid=$(cat "$run/manager.pid")
    if is_manager "$pid"; then
        end "$pid" is_manager
    fi
    rm -f "$run/manager.pid"
}

# enroll: what `inlay host token` prints is a token, and where to take it.
enroll() {
    "$run/inlay" host show "$host" >/dev/null 2>&1 ||
        echoed "$run/inlay" host create "$host" --prefix "$prefix" >&2
    say "+ $run/inlay host token $host"
    token=$("$run/inlay" host token "$host" --output json | sed -n 's/.*"token": *"\([^"]*\)".*/\1/p')
    [ -n "$token" ] || {
        say "the manager gave no token for $host: look at $run/manager.log"
        exit 1
    }
    (umask 077 && echo "$token@[$server]:8444" >"$run/$host.join")
}

[ $# -ge 2 ] || usage
verb=$1 run=/run/inlay/$2
case $verb in
    start)
        inlay=${3:-}
        start
        ;;
    stop) stop ;;
    enroll)
        host=${3:?} prefix=${4:?}
        enroll
        ;;
    *) usage ;;
esac
