-- The tables of config/policy.yaml, as an application with an AI assistant has them.
-- Protected columns of text and json stay as they were; those of another type are kept in a bytea column,
-- and the policy says which type the application sees.
SET ROLE app;

CREATE TABLE users (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email         text NOT NULL UNIQUE,
    password_hash text NOT NULL,
    full_name     text NOT NULL,
    phone         text,
    birth_date    bytea,                          -- date
    plan          text NOT NULL DEFAULT 'free',
    created_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE sessions (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id       bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    token         text NOT NULL UNIQUE,
    ip_address    bytea,                          -- inet
    user_agent    text,
    expires_at    timestamptz NOT NULL
);

CREATE TABLE api_keys (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id       bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    label         text NOT NULL,
    api_key       text NOT NULL UNIQUE,
    last_used_at  timestamptz
);

CREATE TABLE agents (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL,
    model         text NOT NULL,
    system_prompt text NOT NULL
);

CREATE TABLE conversations (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id        bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    agent_id       bigint NOT NULL REFERENCES agents,
    user_query     text NOT NULL,
    agent_response text,
    created_at     timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE workflows (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent_id      bigint NOT NULL REFERENCES agents,
    name          text NOT NULL,
    definition    jsonb NOT NULL,
    enabled       boolean NOT NULL DEFAULT true
);

CREATE TABLE knowledge (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent_id      bigint NOT NULL REFERENCES agents,
    title         text NOT NULL,
    content       text NOT NULL,
    tags          text[] NOT NULL DEFAULT '{}'
);

CREATE TABLE metrics (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id       bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    name          text NOT NULL,
    amount        bytea NOT NULL,                 -- numeric(12,2)
    recorded_at   timestamptz NOT NULL DEFAULT now()
);

RESET ROLE;
