"""Limits that a process sets for itself before it touches a model; stdlib alone, so that they come first."""

from __future__ import annotations


def limit(memory_mb: int, cpu_s: int | None = None) -> None:
    """At most ``memory_mb`` of private memory (allocating more raises MemoryError), ``cpu_s`` seconds of CPU.

    Private data is limited rather than address space: numerical libraries reserve gigabytes of addresses that
    they never use. What this process starts inherits the limits.
    """
    import resource

    memory = memory_mb << 20
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    if cpu_s is not None:
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
