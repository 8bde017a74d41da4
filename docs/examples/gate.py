"""The resource side: a GPU slot is used by a process that runs behind a gate, for as long as its lease is current."""

import asyncio
import subprocess
import sys

from contractnet import Admission, Agent, Gate, credits

running: dict[bytes, subprocess.Popen[bytes]] = {}


def end(admission: Admission) -> None:
    """The lease is over: the units are free for others when this returns."""
    process = running.pop(admission.award)
    process.kill()
    process.wait()


async def main() -> None:
    with Gate("gpu", credential="agent.json", on_revoked=end) as gate:
        async with Agent.connect("agent.json") as agent:
            print("waiting for a call for proposals (manager.py sends one)")
            cfp = await anext(agent.cfps("gpu"))
            award = await (await agent.bid(cfp, credits(5))).outcome()
            assert award is not None, "outbid"
            admission = await asyncio.to_thread(gate.admit, award.id, award.token, award.secret, wait_s=5)
            running[award.id] = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
            print(f"a job runs on the units {admission.units}")
            await agent.release(award)
            while gate.current():
                await asyncio.sleep(0.01)
            print(f"the lease was given back, {len(running)} jobs run")


asyncio.run(main())
