# shellcheck shell=bash
# The processes of a stack on this machine: ports, start, readiness, stop. `up` and `down` source this file.
#
# Every process has its own session. So a ctrl-C in the terminal reaches only the script that started the processes, and the script
# stops them in order. If the script is killed, the kernel sends SIGTERM to each process. A process is identified by pid and start
# time, so a pid that the system has reused is never signalled.
#
# Every `return` has a status. Within a trap, a bare `return` would return the status from before the trap.

: "${run_dir:?set it before sourcing this file}"
declare -A stack_pid=() # pids of the processes that this script launched, by name

say() { printf '%s\n' "$*" 2>/dev/null || true; } # a closed terminal must not interrupt the stop
print_error() { printf '%s\n' "$*" >&2 2>/dev/null || true; }

# --- ports ---------------------------------------------------------------------------------------------------------------

# port_inode PORT: the socket that listens on the port, on the loopback address or on all addresses. Fails if there is none.
port_inode() {
    local tables=(/proc/net/tcp)
    [[ -e /proc/net/tcp6 ]] && tables+=(/proc/net/tcp6)
    awk -v port="$(printf '%04X' "$1")" '
        BEGIN {
            ours["00000000"]; ours["0100007F"] # 0.0.0.0, 127.0.0.1, and in IPv6 ::, ::1, ::ffff:127.0.0.1
            ours["00000000000000000000000000000000"]; ours["00000000000000000000000001000000"]; ours["0000000000000000FFFF00000100007F"]
        }
        $4 == "0A" && split($2, local, ":") && local[2] == port && local[1] in ours { print $10; found = 1; exit }
        END { exit !found }' "${tables[@]}"
}

# port_owner PORT: prints the process that listens there.
port_owner() {
    local inode fd pid
    inode=$(port_inode "$1") || return 1
    fd=$(find /proc/[0-9]*/fd -lname "socket:\[$inode\]" -print -quit 2>/dev/null || true)
    if [[ -z $fd ]]; then
        echo "a process of another user"
        return 0
    fi
    pid=${fd#/proc/} pid=${pid%%/*}
    echo "$(tr '\0' ' ' <"/proc/$pid/cmdline" | cut -c 1-80)(pid $pid)"
}

# free_port: a free port below the range that the kernel uses for outgoing connections.
free_port() {
    local port
    for _ in {1..100}; do
        port=$((20000 + RANDOM % 10000))
        port_inode "$port" >/dev/null || { echo "$port" && return 0; }
    done
    print_error "no free port between 20000 and 29999"
    return 1
}

# http_status PORT PATH: the status of a GET on the loopback address. Fails if there is no answer.
http_status() (
    exec 2>/dev/null
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' "$2" "$1" >&3
    answer=$(timeout 2 cat <&3)
    [[ $answer == HTTP/1.?\ * ]] && echo "${answer:9:3}"
)

# --- processes -----------------------------------------------------------------------------------------------------------

# started_at PID: its start time, in ticks since boot. Fails if the process is gone or a zombie.
started_at() {
    local stat fields
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    read -ra fields <<<"${stat##*) }"
    [[ ${fields[0]} != [ZX] ]] && echo "${fields[19]}"
}

# record NAME PID: records the process for `down`.
record() { echo "$1 $2 $(started_at "$2" || echo gone)" >>"$run_dir/pids"; }

# recorded NAME: the recorded pid of that name, if the process still runs.
recorded() {
    local name pid started
    [[ -e $run_dir/pids ]] || return 1
    while read -r name pid started; do
        [[ $name == "$1" && $(started_at "$pid") == "$started" ]] && echo "$pid" && return 0
    done <"$run_dir/pids"
    return 1
}

# launch NAME COMMAND...: starts a process in its own session, with the standard streams of the caller.
launch() {
    local name=$1
    shift
    setpriv --pdeathsig TERM setsid "$@" &
    stack_pid[$name]=$!
    record "$name" "$!"
}

# serve NAME COMMAND...: launches a service whose output goes to its log.
serve() { launch "$@" </dev/null >"$run_dir/logs/$1.log" 2>&1; }

# await_ready NAME PORT SECONDS: waits until the service is ready.
await_ready() {
    local name=$1 port=$2 deadline=$((SECONDS + $3)) status=
    while ((SECONDS < deadline)); do
        status=$(http_status "$port" /readyz) && [[ $status == 200 ]] && return 0
        if ! recorded "$name" >/dev/null; then
            status=0
            wait "${stack_pid[$name]}" || status=$?
            report_end "$name" "$status"
            return 1
        fi
        sleep 0.1
    done
    print_error "$name is not ready after $3 s (GET :$port/readyz answers ${status:-nothing})"
    show_log "$name"
    return 1
}

# await_port NAME PORT SECONDS: waits until a process listens there.
await_port() {
    local name=$1 port=$2 deadline=$((SECONDS + $3)) status=0
    until port_inode "$port" >/dev/null; do
        if ! recorded "$name" >/dev/null; then
            wait "${stack_pid[$name]}" || status=$?
            report_end "$name" "$status"
            return 1
        elif ((SECONDS >= deadline)); then
            print_error "$name does not listen on port $port after $3 s"
            show_log "$name"
            return 1
        fi
        sleep 0.05
    done
}

# report_end NAME STATUS: prints which process ended, its status, and the end of its log.
report_end() {
    print_error "$1 ended unexpectedly with status $2"
    show_log "$1"
}

show_log() {
    print_error "the end of $run_dir/logs/$1.log:"
    tail -n 15 "$run_dir/logs/$1.log" 2>/dev/null | sed "s/^/  [$1] /" >&2 || true
}

# stop NAME SECONDS: sends SIGTERM to the process and everything that it started, and SIGKILL after this time.
stop() {
    local pid=${stack_pid[$1]:-} deadline=$((SECONDS + $2))
    if recorded "$1" >/dev/null; then
        pid=$(recorded "$1")
        kill -TERM -- "-$pid" 2>/dev/null || kill -TERM "$pid" 2>/dev/null || true
        while recorded "$1" >/dev/null && ((SECONDS < deadline)); do sleep 0.05; done
    fi
    [[ -z $pid ]] || kill -KILL -- "-$pid" 2>/dev/null || true
}

# stop_all SECONDS: stops the gateways before the services, so that the services can answer the calls in flight during the drain. Redis
# is next.
stop_all() {
    local name
    for name in build command gateway gateway-2 chatbot-backend notifier-backend redis warnings terminal; do stop "$name" "$1"; done
}
