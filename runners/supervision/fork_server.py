"""Starting children: one warm fork server per engine, or a fresh process where fork is missing.

A fork server is a process that has imported one engine's libraries and nothing else
(``runners.child.fork_loop``). It starts with a cleaned environment and never runs an operation
of those libraries: one parallel operation in it, and every child forked from it hangs. A child
costs it one fork; what it imported is shared by all of them.

It takes requests from its own parent alone, over a pair of sockets of which it inherited one
end: there is no address at which a process that was taken over could ask. See
docs/decisions/0001.

What it has imported is memory that nothing else can use. So it ends when nobody has needed it
for some minutes, or when a model needs the room.
"""

from __future__ import annotations

import atexit
import contextlib
import math
import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence

from comparator.core.exceptions import MultiLLMError
from runners import registry
from runners.machine import memory, temporary
from runners.supervision.fork_server_process import ForkServer as ForkServer
from runners.supervision.forked_child import ForkedChild as ForkedChild
from runners.supervision.spawning import SpawnedChild as SpawnedChild
from runners.timeouts import KEEP_WARM_SECONDS

START_SECONDS = 120.0  # imports from a cold disk take long; then the run waits for the rest
_LIGHT = "echo"


def fork_is_safe() -> bool:
    """Tell whether children may be forked: not on Windows, nor on macOS, whose Metal breaks."""
    return sys.platform.startswith("linux")


class ForkServers:
    """The fork servers of this program, started when first needed or warmed up before.

    Attributes:
        keep_warm_seconds: how long one is kept that nobody needs; ``math.inf`` keeps all.
    """

    def __init__(self, keep_warm_seconds: float = KEEP_WARM_SECONDS) -> None:
        self._by_kind: dict[str, ForkServer] = {}
        self._modelling: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._keep_warm_seconds = keep_warm_seconds
        self._reservations = 0
        self._look_again = threading.Event()
        self._keeper: threading.Thread | None = None

    @property
    def keep_warm_seconds(self) -> float:
        """For how many seconds a server is kept that nobody needs."""
        return self._keep_warm_seconds

    @keep_warm_seconds.setter
    def keep_warm_seconds(self, seconds: float) -> None:
        self._keep_warm_seconds = seconds
        self._look_again.set()

    def warm_up(self, kinds: Sequence[str], modelling_modules: Sequence[str] = ()) -> None:
        """Start the fork servers of these engines now; their imports go on in the background.

        One that cannot be started is left to the run that needs it, which says why.
        """
        self._modelling = tuple(dict.fromkeys((*self._modelling, *modelling_modules)))
        for kind in kinds:
            if fork_is_safe():
                with contextlib.suppress(OSError, MultiLLMError):
                    self.of(kind).ensure_running()
        self._look_again.set()

    def of(self, kind: str) -> ForkServer:
        """Return the fork server of an engine; kinds without libraries share the light one."""
        kind = kind if registry.is_known(kind) else _LIGHT
        with self._lock:
            if not self._by_kind:
                temporary.remove_stale()
            if kind not in self._by_kind:
                self._by_kind[kind] = ForkServer(kind)
                self._by_kind[kind].on_idle = self._look_again.set
            if kind == "pytorch":
                self._by_kind[kind].modelling_modules = self._modelling
            self._keep_watch()
            return self._by_kind[kind]

    @property
    def is_reserved(self) -> bool:
        """Whether a comparison is under way."""
        return self._reservations > 0

    def reserve(self, kinds: Sequence[str] = ()) -> Reservation:
        """Keep the servers of these engines, started, for one who will ask for children."""
        with self._lock:
            self._reservations += 1
        reservation = Reservation(self)
        for kind in kinds:
            reservation.add(kind)
        return reservation

    def give_back(self, wanted_bytes: int, keep: Collection[str] = ()) -> int:
        """End servers that nobody needs now, those that hold most first, until enough is free.

        Args:
            wanted_bytes: how much memory is wanted.
            keep: engines whose servers stay.

        Returns:
            How many bytes they held.
        """
        freed = 0
        for size, server in self._idle_ones(keep):
            if freed >= wanted_bytes:
                break
            freed += size if server.end_if_idle() else 0
        return freed

    def spare_bytes(self, keep: Collection[str] = ()) -> int:
        """Return what ``give_back`` could free at most, in bytes."""
        return sum(size for size, _server in self._idle_ones(keep))

    def pids(self) -> list[int]:
        """Return the process ids of the fork servers that run."""
        return list(self.by_kind().values())

    def by_kind(self) -> dict[str, int]:
        """Return the process ids of the fork servers that run, by the engine of each."""
        pids = {server.kind: server.pid for server in self._all()}
        return {kind: pid for kind, pid in pids.items() if pid is not None}

    def close(self) -> None:
        """End all fork servers; the next run starts new ones."""
        with self._lock:
            fork_servers, self._by_kind = list(self._by_kind.values()), {}
        self._look_again.set()
        for fork_server in fork_servers:
            fork_server.ask_for_end()
        for fork_server in fork_servers:
            fork_server.close()

    def rest_all_but(self, needed: Collection[ForkServer]) -> None:
        """Have imports that nobody waits for stand still, before a model is measured."""
        for server in self._all():
            if server not in needed:
                server.rest()

    def go_on(self, unless_others_run: bool = False) -> None:
        """Have all imports go on; where it is asked for, only if one reservation is left."""
        if unless_others_run and self._reservations > 1:
            return
        for server in self._all():
            server.go_on()

    def released(self) -> None:
        """Note that a reservation has ended."""
        with self._lock:
            self._reservations -= 1
            was_the_last = not self._reservations
        if was_the_last:
            self.go_on()

    def _all(self) -> list[ForkServer]:
        with self._lock:
            return list(self._by_kind.values())

    def _idle_ones(self, keep: Collection[str]) -> list[tuple[int, ForkServer]]:
        """Return what idle servers hold, with each, the largest first."""
        idle = [s for s in self._all() if s.kind not in keep and s.idle_seconds() is not None]
        pids = [(server.pid, server) for server in idle]
        sizes = [(memory.taken_bytes(pid), server) for pid, server in pids if pid is not None]
        return sorted(sizes, key=lambda pair: pair[0], reverse=True)

    def _keep_watch(self) -> None:
        """Have a thread end what has been idle for too long; with our lock held."""
        if self._keeper is None:
            self._keeper = threading.Thread(
                target=self._end_idle_ones, name="comparator-idle", daemon=True
            )
            self._keeper.start()

    def _end_idle_ones(self) -> None:
        """Live as long as there are servers."""
        while True:
            self._look_again.clear()
            with self._lock:
                servers = list(self._by_kind.values())
                if not servers:
                    self._keeper = None
                    return
            keep, left = self._keep_warm_seconds, math.inf
            for server in servers:
                idle = None if server.end_if_idle(keep) else server.idle_seconds()
                left = left if idle is None else min(left, keep - idle)
            self._look_again.wait(max(0.0, left) if math.isfinite(left) else None)


class Reservation:
    """Keeps fork servers for a comparison, and has them ready when a model's turn comes."""

    def __init__(self, owner: ForkServers) -> None:
        self._owner = owner
        self._servers: dict[str, ForkServer] = {}
        self._is_over = False
        self._lock = threading.Lock()

    def add(self, kind: str) -> ForkServer:
        """Keep one more engine's server, and start it where it does not run."""
        server = self._owner.of(kind)
        with self._lock:
            if not self._is_over and server.kind not in self._servers:
                self._servers[server.kind] = server
                server.reserve()
        self._owner.warm_up([kind])
        return server

    def make_ready(
        self,
        kinds: Sequence[str],
        should_stop: Callable[[], bool] = lambda: False,
        timeout_seconds: float = START_SECONDS,
    ) -> float:
        """Wait until the servers of these engines have imported; then have the others rest.

        While one is waited for the others import beside it, unless another comparison's model is
        measured. They go on when the next one is waited for, or at the end of the last comparison.

        Returns:
            The seconds that it waited; 0.0 where all of them were ready.
        """
        if not fork_is_safe() or should_stop():
            return 0.0
        began = time.monotonic()
        servers = [self.add(kind) for kind in kinds]
        cold = [server for server in servers if not server.is_ready]
        if cold:
            self._owner.go_on(unless_others_run=True)
        for server in cold:
            with contextlib.suppress(OSError, MultiLLMError):  # the run says why none starts
                server.wait_ready(timeout_seconds, should_stop)
        waited = time.monotonic() - began if cold else 0.0
        self._owner.rest_all_but(servers)
        return waited

    def release(self) -> None:
        """Let them go; harmless when it is done twice."""
        with self._lock:
            was_over, self._is_over = self._is_over, True
            servers, self._servers = list(self._servers.values()), {}
        if was_over:
            return
        for server in servers:
            server.release()
        self._owner.released()


fork_servers = ForkServers()
atexit.register(fork_servers.close)
