"""The policies of the applications."""

from __future__ import annotations

CLASSES = """
version: 1
classes:
  lookup: {sensitivity: high, mode: deterministic}
  secret: {sensitivity: high, mode: randomized}
tables:
"""

CLINIC = (
    CLASSES
    + """
  auth_user:
    email: lookup
    password: secret
    first_name: secret
    last_name: secret
  django_session:
    session_data: secret
  django_admin_log:                       # which keeps what an object prints itself as
    object_repr: secret
    change_message: secret
  people_person:
    email: {class: lookup, type: varchar(254), key: mail}
    name: {class: lookup, type: varchar(100)}
    notes: secret
    born: {class: secret, type: date}
    seen: {class: secret, type: timestamptz}
    balance: {class: lookup, type: "numeric(12,2)"}
    number: {class: lookup, type: int4}
    active: {class: lookup, type: bool}
    token: {class: lookup, type: uuid}
    document: secret
    photo: secret
    address: {class: lookup, type: inet}
    wait: {class: secret, type: interval}
    tags: {class: secret, type: "varchar(20)[]"}
    patience: {class: secret, type: interval, id: public.people_person.wait}  # of the second release
    phone: {class: lookup, type: varchar(20)}
    joined: {class: secret, type: date}
  people_visit:
    contact_id: {class: lookup, type: varchar(254), key: mail}
    reason: secret
"""
)

# Procrastinate writes and reads its table in functions of its own, which are trusted with ciphertext: their
# arguments are encrypted where they are called. Its triggers look at nothing that is protected.
PROCRASTINATE = (
    CLASSES
    + """
  procrastinate_jobs:
    args: secret
functions:
  procrastinate_defer_jobs_v1: {args: {jobs: {args: procrastinate_jobs.args}}}
  procrastinate_defer_periodic_job_v2: {args: {_args: procrastinate_jobs.args}}
trusted_functions:
  - procrastinate_defer_jobs_v1
  - procrastinate_defer_periodic_job_v2
  - procrastinate_fetch_job_v2
  - procrastinate_finish_job_v1
  - procrastinate_cancel_job_v1
  - procrastinate_retry_job_v1
  - procrastinate_retry_job_v2
"""
)

SHOP = (
    CLASSES
    + """
  customers:
    email: {class: lookup, type: varchar(120), key: mail}
    name: lookup
    notes: secret
    born: {class: secret, type: date}
    seen: {class: secret, type: timestamptz}
    opens: {class: lookup, type: time}
    limit: {class: lookup, type: "numeric(12,2)"}
    number: {class: lookup, type: int4}
    rate: {class: secret, type: float8}
    active: {class: lookup, type: bool}
    token: {class: lookup, type: uuid}
    document: secret
    photo: secret
    wait: {class: secret, type: interval}
    address: {class: lookup, type: inet}
    tags: {class: secret, type: "text[]"}
    rank: {class: secret, type: varchar(20)}
    level: {class: secret, type: varchar(20), id: public.customers.rank}  # of the second migration
    joined: {class: secret, type: date}
  purchases:
    customer_email: {class: lookup, type: varchar(120), key: mail}
    item: secret
"""
)
