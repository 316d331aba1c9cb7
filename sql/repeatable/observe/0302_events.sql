-- Functions, triggers, views and rights that belong to `migrations/observe/0302_events.sql`.
SET ROLE rok_observe_owner;

-- No login writes here: observe.append_together does, as owner.
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON observe.events FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON observe.events FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE OR REPLACE FUNCTION observe.event_hash(p_prev bytea, p_seq bigint, p_at timestamptz, p_bytes bytea) RETURNS bytea
LANGUAGE sql STABLE AS $$
  SELECT sha256(convert_to('rok.trace.v1', 'UTF8') || p_prev || int8send(p_seq)
    || int8send((extract(epoch FROM p_at) * 1000000)::bigint) || p_bytes)
$$;
COMMENT ON FUNCTION observe.event_hash(bytea, bigint, timestamptz, bytea) IS
  'Hash of one event: tag, previous hash, number, time in microseconds since 1970, bytes. For observe.chain_events only.';
-- A verifier computes it by itself. STABLE, as `extract` is: only then does PostgreSQL inline it.

-- New events of one run with their numbers, times and hashes, chained after the head that is given. An id that is known, or that
-- comes a second time, is skipped.
CREATE OR REPLACE FUNCTION observe.chain_events(p_head observe.heads, p_events jsonb, p_known text[])
RETURNS SETOF observe.events LANGUAGE plpgsql AS $$
DECLARE
  v_known text[] := p_known;
  v_length bigint := p_head.length;
  v_hash bytea := p_head.hash;
  v_closed boolean := p_head.closed_at IS NOT NULL;
  v_id text;
  v_kind text;
  v_text text;
  v_event observe.events;
BEGIN
  v_event.run_id := p_head.run_id;
  FOR v_number IN 0 .. jsonb_array_length(p_events) - 1 LOOP
    v_id := p_events -> v_number ->> 'id';
    v_kind := p_events -> v_number ->> 'kind';
    v_text := p_events -> v_number ->> 'bytes';
    CONTINUE WHEN p_head.run_id || ' ' || v_id = ANY (v_known);
    v_known := v_known || (p_head.run_id || ' ' || v_id);
    IF v_closed THEN
      RAISE EXCEPTION 'the trace of run % is closed', p_head.run_id USING ERRCODE = '55000';
    END IF;
    -- Canonical JSON sorts body, id, kind, so the end names the event. Compared as text, because reading a member would
    -- unescape the body, and PostgreSQL refuses an escaped NUL there; the cast alone only checks that it is JSON.
    IF v_text::json IS NULL OR v_text NOT LIKE '{"body":%'
       OR right(v_text, length(v_id) + length(v_kind) + 19)
         IS DISTINCT FROM format(',"id":"%s","kind":"%s"}', v_id, v_kind) THEN
      RAISE EXCEPTION 'event % is not what its bytes say', v_id USING ERRCODE = '22023';
    END IF;
    v_length := v_length + 1;
    v_event.seq := v_length;
    v_event.event_id := v_id;
    v_event.kind := v_kind;
    v_event.bytes := convert_to(v_text, 'UTF8');
    v_event.at := clock_timestamp();
    v_hash := observe.event_hash(v_hash, v_length, v_event.at, v_event.bytes);
    v_event.hash := v_hash;
    v_closed := v_kind = 'run.closing';
    RETURN NEXT v_event;
  END LOOP;
END $$;
COMMENT ON FUNCTION observe.chain_events(observe.heads, jsonb, text[]) IS 'For observe.append_together only, which holds the head''s lock.';

CREATE OR REPLACE VIEW observe.v_events AS SELECT * FROM observe.events;
GRANT SELECT ON observe.v_events TO rok_audit, rok_audit_owner, rok_read;

RESET ROLE;
