#!/bin/sh
# Two hosts on an IPv6 fabric, and the manager that their agents follow.
#
#     nodes that agents make ------+                           +------ nodes that agents make
#                                  |                           |
#                            inlay-host1                 inlay-host2
#                  2001:db8:0:1::1/128 on lo    2001:db8:0:2::1/128 on lo
#                                  |                           |
#                     2001:db8:f:1::2/64 uplink     uplink 2001:db8:f:2::2/64
#                                  |                           |
#                      2001:db8:f:1::1/64 host1     host2 2001:db8:f:2::1/64
#                                  +----- inlay-fabric --------+
#                                               |
#                                  2001:db8:f:ff::1/64 manager
#                                               |
#                                  2001:db8:f:ff::2/64 uplink
#                                         inlay-manager
#
# Lines are as in two-hosts.sh. Nodes are not part of the script: clients create them, and the agents make their
# namespaces, HOST.PROJECT.NETWORK.NODE. managed/networks.sh creates those that the rows of `cargo xtask run` ask.
#
#   managed.sh up        also from a state that a crash left behind
#   managed.sh down      removes every trace: manager, agents, nodes and their pins included
#
# The manager is started by lib/manager.sh, agents by lib/agent.sh, with /run/inlay/managed as their directory.

set -eu

here=$(dirname "$0")
# shellcheck source=SCRIPTDIR/lib/netns.sh
. "$here/lib/netns.sh"
# shellcheck source=SCRIPTDIR/lib/substrate.sh
. "$here/lib/substrate.sh"

run=/run/inlay/managed
hosts="host1 host2"

up() {
    down
    trap 'say "$0: up did not finish; removing what it made"; down' EXIT
    fabric
    host 1
    host 2
    manager
    configurations
    substrate_works
    reaches inlay-host1 2001:db8:f:ff::2
    trap - EXIT
}

down() {
    for name in $hosts; do
        "$here/lib/agent.sh" stop managed "$name"
    done
    "$here/lib/manager.sh" stop managed
    for name in $hosts; do
        remove_nodes "$name"
    done
    for name in manager $hosts fabric; do
        remove_namespace "inlay-$name"
    done
    for name in $hosts; do
        remove_instance "$name"
    done
    remove_tree "$run"
}

manager() {
    namespace inlay-manager
    substrate_settings inlay-manager
    veth $substrate_mtu inlay-manager uplink 02:00:00:00:00:ff inlay-fabric manager 02:00:00:00:01:ff
    address inlay-fabric manager 2001:db8:f:ff::1/64
    link_up inlay-fabric manager
    address inlay-manager uplink 2001:db8:f:ff::2/64
    link_up inlay-manager uplink
    link_works inlay-fabric manager
    link_works inlay-manager uplink
    route inlay-manager default via 2001:db8:f:ff::1
}

# configurations: the manager's, and each agent's.
configurations() {
    echoed mkdir -p "$run"
    echoed cp "$here/managed/manager.yaml" "$run/manager.yaml"
    for name in $hosts; do
        echoed cp "$here/managed/hosts/$name.yaml" "$run/$name.agent.yaml"
    done
}

require_root "$@"
case ${1:-} in
    up) up ;;
    down) down ;;
    *)
        say "type: $0 up | down"
        exit 2
        ;;
esac
