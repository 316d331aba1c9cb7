-- The one way into the trace. Number, time and hash are given here, never by the caller.
SET ROLE rok_observe_owner;

CREATE FUNCTION observe.event_hash(p_prev bytea, p_seq bigint, p_at timestamptz, p_bytes bytea) RETURNS bytea
LANGUAGE sql STABLE AS $$
  SELECT sha256(convert_to('rok.trace.v1', 'UTF8') || p_prev || int8send(p_seq)
    || int8send((extract(epoch FROM p_at) * 1000000)::bigint) || p_bytes)
$$;
COMMENT ON FUNCTION observe.event_hash(bytea, bigint, timestamptz, bytea) IS
  'Hash of one event: tag, previous hash, number, time in microseconds since 1970, bytes. For observe.append only.';
-- Nobody else: whoever verifies computes it on its own. STABLE, as `extract` is, because only then is it planned into its caller.

CREATE FUNCTION observe.append(p_run uuid, p_events jsonb, OUT length bigint, OUT hash bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = observe, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_head observe.heads;
  v_known text[];
  v_id text;
  v_kind text;
  v_text text;
  v_bytes bytea;
  v_ids text[] := '{}';
  v_kinds text[] := '{}';
  v_texts bytea[] := '{}';
  v_times timestamptz[] := '{}';
  v_hashes bytea[] := '{}';
  v_at timestamptz;
  v_first boolean;
BEGIN
  IF jsonb_typeof(p_events) IS DISTINCT FROM 'array' OR jsonb_array_length(p_events) NOT BETWEEN 1 AND 256 THEN
    RAISE EXCEPTION 'an append takes 1 to 256 events' USING ERRCODE = '22023';
  END IF;
  SELECT h.* INTO v_head FROM observe.heads h WHERE h.run_id = p_run FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    INSERT INTO observe.heads (run_id, hash)
      SELECT c.run_id, c.digest FROM audit.v_contracts c WHERE c.run_id = p_run
      ON CONFLICT DO NOTHING;
    SELECT h.* INTO v_head FROM observe.heads h WHERE h.run_id = p_run FOR NO KEY UPDATE;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'no contract of run %', p_run USING ERRCODE = 'P0002';
    END IF;
  END IF;
  v_first := v_head.length = 0;
  -- A statement of its own, after the lock: what another append wrote meanwhile is seen.
  v_known := ARRAY(SELECT o.event_id FROM observe.events o WHERE o.run_id = p_run
    AND o.event_id = ANY (ARRAY(SELECT e.item ->> 'id' FROM jsonb_array_elements(p_events) e (item))));

  -- In the order given; of an id that comes twice, or is there already, the first stands.
  FOR v_place IN 0 .. jsonb_array_length(p_events) - 1 LOOP
    v_id := p_events -> v_place ->> 'id';
    v_kind := p_events -> v_place ->> 'kind';
    v_text := p_events -> v_place ->> 'bytes';
    CONTINUE WHEN v_id = ANY (v_known);
    v_known := v_known || v_id;
    IF v_head.closed_at IS NOT NULL THEN
      RAISE EXCEPTION 'the trace of run % is closed', p_run USING ERRCODE = '55000';
    END IF;
    -- Canonical JSON sorts body, id, kind, so the end names the event. Compared as text, because reading a member would
    -- unescape the body, and PostgreSQL refuses an escaped NUL there; the cast alone only checks that it is JSON.
    IF v_text::json IS NULL OR v_text NOT LIKE '{"body":%'
       OR right(v_text, length(v_id) + length(v_kind) + 19)
         IS DISTINCT FROM format(',"id":"%s","kind":"%s"}', v_id, v_kind) THEN
      RAISE EXCEPTION 'event % is not what its bytes say', v_id USING ERRCODE = '22023';
    END IF;
    v_bytes := convert_to(v_text, 'UTF8');
    v_at := clock_timestamp();
    v_head.length := v_head.length + 1;
    v_head.hash := observe.event_hash(v_head.hash, v_head.length, v_at, v_bytes);
    v_ids := v_ids || v_id;
    v_kinds := v_kinds || v_kind;
    v_texts := v_texts || v_bytes;
    v_times := v_times || v_at;
    v_hashes := v_hashes || v_head.hash;
    IF v_kind = 'run.closing' THEN
      v_head.closed_at := v_at;
    END IF;
  END LOOP;

  IF cardinality(v_ids) > 0 THEN
    INSERT INTO observe.events (run_id, seq, event_id, kind, bytes, at, hash)
      SELECT p_run, v_head.length - cardinality(v_ids) + n.place, n.event_id, n.kind, n.bytes, n.at, n.hash
      FROM unnest(v_ids, v_kinds, v_texts, v_times, v_hashes) WITH ORDINALITY AS n (event_id, kind, bytes, at, hash, place);
    UPDATE observe.heads h SET length = v_head.length, hash = v_head.hash, closed_at = v_head.closed_at
      WHERE h.run_id = p_run;
  END IF;
  IF v_first AND v_head.length > 0 THEN
    PERFORM audit.ack(p_run, 'logs', 'start_trace', 'done', '{"table": "observe.events", "seq": 1}');
  END IF;
  append.length := v_head.length;
  append.hash := v_head.hash;
END $$;
COMMENT ON FUNCTION observe.append(uuid, jsonb) IS
  'Appends events [{id, kind, bytes}] under the head''s lock; rok_observe only, which may write the trace in no other way. An id already there is a no-op; after run.closing nothing new is taken.';
GRANT EXECUTE ON FUNCTION observe.append(uuid, jsonb) TO rok_observe;

RESET ROLE;
