#!/usr/bin/env bash
# The first start of ROK's PostgreSQL: its logins, with their passwords. Their rights are granted by sql/, which leaves a
# login that exists as it is. psql quotes the passwords; none is printed.
set -euo pipefail
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
\getenv decide ROK_DECIDE_PASSWORD
\getenv observe ROK_OBSERVE_PASSWORD
\getenv execute ROK_EXECUTE_PASSWORD
\getenv audit ROK_AUDIT_PASSWORD
\getenv read ROK_READ_PASSWORD
CREATE ROLE rok_decide LOGIN NOINHERIT NOCREATEDB NOCREATEROLE PASSWORD :'decide';
CREATE ROLE rok_observe LOGIN NOINHERIT NOCREATEDB NOCREATEROLE PASSWORD :'observe';
CREATE ROLE rok_execute LOGIN NOINHERIT NOCREATEDB NOCREATEROLE PASSWORD :'execute';
CREATE ROLE rok_audit LOGIN NOINHERIT NOCREATEDB NOCREATEROLE PASSWORD :'audit';
CREATE ROLE rok_read LOGIN NOINHERIT NOCREATEDB NOCREATEROLE PASSWORD :'read';
SQL
