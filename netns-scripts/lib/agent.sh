#!/bin/sh
# Starts and stops the agent of one host of a topology.
#
#   agent.sh start TOPOLOGY HOST INLAY    INLAY is the binary
#   agent.sh stop TOPOLOGY HOST
#
# Reads   /run/inlay/TOPOLOGY/HOST.yaml         the host's desired state; or
#         /run/inlay/TOPOLOGY/HOST.agent.yaml   the configuration of an agent that follows a manager
#         /run/inlay/TOPOLOGY/HOST.join         its join token, where it has not joined
# Writes  /run/inlay/TOPOLOGY/HOST.log     what the agent says
#         /run/inlay/TOPOLOGY/HOST.pid
# The agent itself writes /run/inlay/HOST/ready after its first complete apply; whoever starts it waits
# for that file. Stopping leaves the dataplane as it is: its links and maps are pinned.

set -eu

here=$(dirname "$0")
# shellcheck source=SCRIPTDIR/netns.sh
. "$here/netns.sh"

usage() {
    say "type: $0 start TOPOLOGY HOST INLAY | stop TOPOLOGY HOST"
    exit 2
}

# is_agent PID: whether the process is an agent of this very host. Process numbers are used again, and
# a pid file outlives a crash, so the number alone proves nothing.
is_agent() {
    [ -r "/proc/$1/cmdline" ] || return 1
    case $(tr '\0' ' ' <"/proc/$1/cmdline") in
        *"inlay agent "*"--instance $host "*) return 0 ;;
        *) return 1 ;;
    esac
}

start() {
    [ -x "$inlay" ] || {
        say "$inlay is not there: type cargo xtask build"
        exit 1
    }
    stop
    rm -f "/run/inlay/$host/ready"
    if [ -e "$run/$host.agent.yaml" ]; then
        set -- --config "$run/$host.agent.yaml" --instance "$host"
    else
        set -- --static "$run/$host.yaml" --instance "$host"
    fi
    say "[inlay-$host] $inlay agent $*"
    if [ -e "$run/$host.join" ]; then
        set -- "$@" --join "$(cat "$run/$host.join")"
        rm -f "$run/$host.join"
    fi
    # A session of its own, so that Ctrl-C in the caller's terminal does not end the agent.
    setsid nsenter --net="/run/netns/inlay-$host" "$inlay" agent "$@" \
        </dev/null >>"$run/$host.log" 2>&1 &
    echo $! >"$run/$host.pid"
}

stop() {
    [ -e "$run/$host.pid" ] || return 0
    pid=$(cat "$run/$host.pid")
    if is_agent "$pid"; then
        end "$pid" is_agent
    fi
    rm -f "$run/$host.pid"
}

[ $# -ge 3 ] || usage
verb=$1 run=/run/inlay/$2 host=$3 inlay=${4:-}
case $verb in
    start) start ;;
    stop) stop ;;
    *) usage ;;
esac
