"""A release as a stranger would see it: version 1 runs, version 2 comes by canary.

Without an argument it starts a local cloud at 30 times real speed; with a URL it uses
the one that runs there. Prints the timeline without the calls, and the shares of live
traffic that each version served. Exits 0 only if version 2 is live in the end, both
versions shared the traffic on the way, and no request failed.
"""

import sys
import threading
from collections import Counter
from contextlib import nullcontext

from localcloud import Cloud, running
from scene import Traffic, blue_green, push_image

SPEED = 30


class Story(threading.Thread):
    """Prints what is new in the timeline, and the traffic since it last did."""

    def __init__(self, cloud: Cloud):
        super().__init__(daemon=True)
        self.cloud, self.seen, self.ended = cloud, 0, threading.Event()
        self.traffic: Traffic | None = None
        self.counted: Counter = Counter()

    def run(self) -> None:
        while not self.ended.wait(0.5):
            self.tell()

    def tell(self) -> None:
        lines = self.cloud.look("timeline").decode().splitlines()
        for line in lines[self.seen:]:
            if line[26:].split()[0] not in ("call", "event"):
                print(line[11:], flush=True)
        self.seen = len(lines)
        if self.traffic:
            now = Counter(self.traffic.counts)
            fresh, self.counted = now - self.counted, now
            if total := sum(fresh.values()):
                shares = [f"version {v} {n / total:.0%} ({s})" for (v, s), n in sorted(fresh.items(), key=str)]
                print(f"              served     {total} requests: {', '.join(shares)}", flush=True)

    def end(self) -> None:
        self.ended.set()
        self.join(10)
        self.tell()


def release(cloud: Cloud) -> int:
    story = Story(cloud)
    story.start()
    scene = blue_green(cloud, "hello")
    print(f"== version 1 is live at http://localhost:{scene.port}/ ; version 2 is pushed and deployed ==", flush=True)
    revision = scene.register(push_image(cloud, "hello", "v2", APP_VERSION="2"))
    with Traffic(scene) as traffic:
        story.traffic = traffic
        info = scene.ended(scene.deploy(revision), 180)
        after = scene.versions(100)
    story.end()
    failed = sum(n for (_, status), n in traffic.counts.items() if status != 200)
    print(f"== {info['status']}; of {sum(traffic.counts.values())} requests {failed} failed; now serving: {dict(after)} ==")
    both = traffic.counts["1", 200] and traffic.counts["2", 200]
    return 0 if info["status"] == "Succeeded" and after == {"2": 100} and both and not failed else 1


def main() -> int:
    given = sys.argv[1:]
    with nullcontext(Cloud(given[0], SPEED)) if given else running(SPEED) as cloud:
        return release(cloud)


if __name__ == "__main__":
    sys.exit(main())
