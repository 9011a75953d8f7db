# shellcheck shell=sh
# Verbs that topologies are written in. Sourced, never run.
#
# Each verb echoes the command it runs, so that a topology's output is its own protocol. Nothing here
# waits for a time: what takes a moment (duplicate address detection, neighbour discovery) is switched
# off or waited for by its own condition.
#
# Namespaces are entered by `nsenter --net`, because `ip netns exec` also replaces /sys and with it
# hides bpffs.

set -eu

PATH=$PATH:/usr/sbin:/sbin

say() {
    printf '%s\n' "$*" >&2
}

# echoed COMMAND...: says what it runs, then runs it.
echoed() {
    say "+ $*"
    "$@"
}

# within NAMESPACE COMMAND...: runs one command in the network namespace, in this file system.
within() {
    namespace=$1
    shift
    say "[$namespace] $*"
    nsenter --net="/run/netns/$namespace" "$@"
}

require_root() {
    [ "$(id -u)" -eq 0 ] || {
        say "$0: network namespaces need root: type sudo $0 $*"
        exit 1
    }
}

# namespace NAME: an empty namespace with its loopback up.
namespace() {
    echoed ip netns add "$1"
    link_up "$1" lo
}

has_namespace() {
    [ -e "/run/netns/$1" ]
}

# remove_namespace NAME: ends what still runs in it, then deletes it. Membership, not a name, decides
# what is ended: a process outside the namespace is never touched.
remove_namespace() {
    has_namespace "$1" || return 0
    for pid in $(ip netns pids "$1" 2>/dev/null || true); do
        echoed kill -KILL "$pid" || true
    done
    echoed ip netns del "$1"
}

# settings NAMESPACE KEY=VALUE...
settings() {
    namespace=$1
    shift
    within "$namespace" sysctl -qw "$@"
}

# without_ipv6 NAMESPACE: for nodes. What a tenant's IPv6 would meet is not what a topology shows.
without_ipv6() {
    settings "$1" net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
}

# substrate_settings NAMESPACE: for hosts and routers; before any interface exists, since a link takes
# its settings over from `default`. Hosts forward too: a translated packet whose neighbour is not
# resolved is handed to the kernel, which resolves and forwards it. Without duplicate address
# detection an address serves at once, so nobody has to wait for one.
substrate_settings() {
    settings "$1" \
        net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.forwarding=1 \
        net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
        net.ipv6.conf.all.accept_ra=0 net.ipv6.conf.default.accept_ra=0
}

# veth MTU, then NAMESPACE INTERFACE MAC of each end.
veth() {
    say "+ veth mtu $1: [$2] $3 $4 <-> [$5] $6 $7"
    ip -n "$2" link add name "$3" address "$4" mtu "$1" \
        type veth peer name "$6" address "$7" mtu "$1" netns "$5"
}

# link_up NAMESPACE INTERFACE
link_up() {
    echoed ip -n "$1" link set "$2" up
}

# link_works NAMESPACE INTERFACE: the condition that the kernel has taken note of the carrier, with a
# deadline of five seconds. Until then an interface joins no multicast group, so it hears nobody ask for
# its address. It may take note a second late, but does so at once where it is asked.
link_works() {
    # shellcheck disable=SC2016  # the inner shell expands them
    timeout 5 sh -c 'until ip -n "$1" link show dev "$2" | grep -q "state UP"; do :; done' - "$1" "$2" || {
        say "interface $2 in namespace $1 is not up within 5 s: look at 'ip -n $1 link show $2'"
        return 1
    }
}

# address NAMESPACE INTERFACE ADDRESS/LENGTH
address() {
    case $3 in
        *:*) echoed ip -n "$1" address add "$3" dev "$2" nodad ;;
        *) echoed ip -n "$1" address add "$3" dev "$2" ;;
    esac
}

# route NAMESPACE ROUTE...
route() {
    namespace=$1
    shift
    echoed ip -n "$namespace" route add "$@"
}

# whole_checksums NAMESPACE INTERFACE: makes an end of a veth fit to face an XDP program on the other end.
#   tx off   a checksum left for the hardware is never completed on a veth, and an XDP program (and
#            whoever it redirects to) would take the unfinished one for the real one;
#   gro on   what is redirected into a veth is lost in silence unless the far end polls, which GRO
#            (or an XDP program of its own) makes it do.
whole_checksums() {
    within "$1" ethtool -K "$2" tx off gro on >/dev/null
}

# reaches NAMESPACE ADDRESS: the condition that a path works, with a deadline of five seconds.
reaches() {
    within "$1" ping -q -n -c 1 -i 0.2 -w 5 "$2" >/dev/null || {
        say "no answer from $2 in namespace $1 within 5 s: look at 'ip -n $1 route get $2'"
        return 1
    }
}

# forget_neighbours NAMESPACE INTERFACE: as cold as after boot.
forget_neighbours() {
    echoed ip -n "$1" -6 neigh flush dev "$2" >/dev/null
}

# remove_instance HOST: what an agent leaves behind on purpose when it stops: pinned links and maps, and
# its run directory.
remove_instance() {
    remove_tree "/sys/fs/bpf/inlay/$1"
    remove_tree "/run/inlay/$1"
}

# remove_tree DIRECTORY: the directory, and its parent if that leaves it empty.
remove_tree() {
    [ -e "$1" ] || return 0
    echoed rm -rf "$1"
    rmdir --ignore-fail-on-non-empty "$(dirname "$1")"
}

# end PID IS_IT: asks, waits for the exit with a deadline, then insists, if the function IS_IT still knows the
# process. One that has exited has no command line any more, even while nobody has collected its exit code.
end() {
    echoed kill -TERM "$1" || return 0
    # shellcheck disable=SC2016  # the inner shell expands them
    timeout 10 sh -c 'while [ -n "$(tr -d "\0" <"/proc/$1/cmdline")" ]; do :; done' - "$1" 2>/dev/null || true
    if "$2" "$1"; then
        echoed kill -KILL "$1" || true
    fi
}

# remove_nodes HOST: the namespaces that an agent made for nodes.
remove_nodes() {
    for path in "/run/netns/$1".*.*.*; do
        [ -e "$path" ] || continue
        remove_namespace "${path##*/}"
        remove_tree "/etc/netns/${path##*/}"
    done
}
