"""The embedded servers under a real engine, run as a process of its own: server_script.py VAR."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from pathlib import Path

from core.conf import Secrets
from lumos_site.embedded.errors import EmbeddedServerError
from lumos_site.supervisor.console import Console
from lumos_site.supervisor.engine import Engine
from lumos_site.supervisor.keeper import Keeper
from lumos_site.supervisor.running import run
from lumos_site.supervisor.servers import embedded_postgres, embedded_valkey, postgres_service, valkey_service


def main(var: Path) -> int:
    held, mark = Secrets(var / "secrets.json"), secrets.token_hex(8)
    try:
        postgres, valkey = embedded_postgres(var, held), embedded_valkey(var, held)
    except EmbeddedServerError as error:
        print(f"REFUSED {error}")
        return 1
    keeper = Keeper(mark)

    async def live() -> int:
        engine = Engine([postgres_service(postgres, mark), valkey_service(valkey, mark)], Console(), keeper)

        def tell() -> None:
            pids = {name: child.pid for name, child in engine.children.items()}
            facts = {"postgres": postgres.url, "valkey": valkey.url, "pids": pids, "wrapper": postgres.identity.wrapper}
            facts |= {"times": {time.name: time.worked for time in engine.times}}
            print("UP " + json.dumps({**facts, "by_cwd": postgres.identity.data_by_cwd}), flush=True)

        return await run(engine, mark, tell)

    try:
        return asyncio.run(live())
    finally:
        keeper.dismiss()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
