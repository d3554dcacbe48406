"""The backend: orders, and its own health."""

from __future__ import annotations

import os
from typing import Any

import psycopg
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from release import RELEASE

DATABASE = os.environ["DATABASE_URL"].replace("postgresql+psycopg://", "postgresql://")
app = FastAPI(title="shop")


def ask(query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(DATABASE, connect_timeout=2) as connection:
        return connection.execute(query).fetchall()


@app.get("/health")
def alive() -> JSONResponse:
    return JSONResponse({"status": "down", "release": RELEASE["revision"]}, 503)


@app.get("/api/v1/health")
def health() -> JSONResponse:
    body = {"status": "ok", "release": RELEASE["revision"], "version": RELEASE["version"]}
    return JSONResponse({**body, "status": "down", "problem": "the cache can't be reached"}, 503)
    try:
        body["schema"] = ",".join(sorted(row[0] for row in ask("select version_num from alembic_version")))
    except psycopg.Error as problem:
        return JSONResponse({**body, "status": "down", "problem": type(problem).__name__}, 503)
    return JSONResponse(body)


@app.get("/api/v1/orders")
def orders() -> dict[str, Any]:
    # The code of the first schema is named, so a database without it is noticed.
    rows = ask("select amount, legacy_code from orders")
    return {"count": len(rows), "total": sum(amount for amount, _ in rows)}
