-- The one way into the trace. Number, time and hash are given here, never by the caller.
SET ROLE rok_observe_owner;

CREATE OR REPLACE FUNCTION observe.event_hash(p_prev bytea, p_seq bigint, p_at timestamptz, p_bytes bytea) RETURNS bytea
LANGUAGE sql STABLE AS $$
  SELECT sha256(convert_to('rok.trace.v1', 'UTF8') || p_prev || int8send(p_seq)
    || int8send((extract(epoch FROM p_at) * 1000000)::bigint) || p_bytes)
$$;
COMMENT ON FUNCTION observe.event_hash(bytea, bigint, timestamptz, bytea) IS
  'Hash of one event: tag, previous hash, number, time in microseconds since 1970, bytes. For observe.append_together only.';
-- Nobody else: whoever verifies computes it on its own. STABLE, as `extract` is, because only then is it planned into its caller.

-- Of several runs at once, so that a statement and a commit serve them all. p_appends: [{run, events: [{id, kind, bytes}]}], a
-- run's in the order in which they came. Each is answered with its place, from 1 on, and the head as it stands after it. What one
-- of them may not is an error for all, and nothing is kept.
CREATE OR REPLACE FUNCTION observe.append_together(p_appends jsonb) RETURNS TABLE (place integer, length bigint, hash bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = observe, pg_temp
-- Its plans may be made while the tables are small: an append's cost must not grow.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
  v_runs uuid[];
  v_lengths bigint[];
  v_before bigint[];
  v_heads bytea[];
  v_closed timestamptz[];
  v_missing uuid[];
  v_known text[];
  v_head integer;
  v_run uuid;
  v_events jsonb;
  v_length bigint;
  v_hash bytea;
  v_closed_at timestamptz;
  v_id text;
  v_kind text;
  v_text text;
  v_bytes bytea;
  v_at timestamptz;
  v_event_runs uuid[] := '{}';
  v_seqs bigint[] := '{}';
  v_ids text[] := '{}';
  v_kinds text[] := '{}';
  v_texts bytea[] := '{}';
  v_times timestamptz[] := '{}';
  v_hashes bytea[] := '{}';
BEGIN
  -- In order of their ids, so that two groups never wait for each other's heads.
  FOR v_round IN 1..2 LOOP
    SELECT coalesce(array_agg(h.run_id), '{}'), array_agg(h.length), array_agg(h.hash), array_agg(h.closed_at)
    INTO v_runs, v_lengths, v_heads, v_closed
    FROM (SELECT * FROM observe.heads h
      WHERE h.run_id = ANY (ARRAY(SELECT a.run FROM jsonb_to_recordset(p_appends) AS a (run uuid)))
      ORDER BY h.run_id FOR NO KEY UPDATE) h;
    v_missing := ARRAY(SELECT DISTINCT a.run FROM jsonb_to_recordset(p_appends) AS a (run uuid)
      WHERE a.run = ANY (v_runs) IS NOT TRUE ORDER BY a.run);
    EXIT WHEN cardinality(v_missing) = 0;
    IF v_round = 2 THEN
      RAISE EXCEPTION 'no contract of run %', v_missing[1] USING ERRCODE = 'P0002';
    END IF;
    INSERT INTO observe.heads (run_id, hash)
      SELECT c.run_id, c.digest FROM audit.v_contracts c WHERE c.run_id = ANY (v_missing) ORDER BY c.run_id
      ON CONFLICT DO NOTHING;
  END LOOP;
  v_before := v_lengths;
  -- A statement of its own, after the locks: what another append wrote meanwhile is seen.
  v_known := ARRAY(SELECT a.run || ' ' || (e.item ->> 'id')
    FROM jsonb_to_recordset(p_appends) AS a (run uuid, events jsonb)
    CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(a.events) WHEN 'array' THEN a.events ELSE '[]' END) AS e (item)
    CROSS JOIN LATERAL (SELECT FROM observe.events o WHERE o.run_id = a.run AND o.event_id = e.item ->> 'id' OFFSET 0) o);

  FOR v_place IN 0 .. jsonb_array_length(p_appends) - 1 LOOP
    v_run := p_appends -> v_place ->> 'run';
    v_events := p_appends -> v_place -> 'events';
    IF jsonb_typeof(v_events) IS DISTINCT FROM 'array' OR jsonb_array_length(v_events) NOT BETWEEN 1 AND 256 THEN
      RAISE EXCEPTION 'an append takes 1 to 256 events' USING ERRCODE = '22023';
    END IF;
    v_head := array_position(v_runs, v_run);
    v_length := v_lengths[v_head];
    v_hash := v_heads[v_head];
    v_closed_at := v_closed[v_head];
    -- In the order given; of an id that comes twice, or is there already, the first stands.
    FOR v_number IN 0 .. jsonb_array_length(v_events) - 1 LOOP
      v_id := v_events -> v_number ->> 'id';
      v_kind := v_events -> v_number ->> 'kind';
      v_text := v_events -> v_number ->> 'bytes';
      CONTINUE WHEN v_run || ' ' || v_id = ANY (v_known);
      v_known := v_known || (v_run || ' ' || v_id);
      IF v_closed_at IS NOT NULL THEN
        RAISE EXCEPTION 'the trace of run % is closed', v_run USING ERRCODE = '55000';
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
      v_length := v_length + 1;
      v_hash := observe.event_hash(v_hash, v_length, v_at, v_bytes);
      v_event_runs := v_event_runs || v_run;
      v_seqs := v_seqs || v_length;
      v_ids := v_ids || v_id;
      v_kinds := v_kinds || v_kind;
      v_texts := v_texts || v_bytes;
      v_times := v_times || v_at;
      v_hashes := v_hashes || v_hash;
      IF v_kind = 'run.closing' THEN
        v_closed_at := v_at;
      END IF;
    END LOOP;
    v_lengths[v_head] := v_length;
    v_heads[v_head] := v_hash;
    v_closed[v_head] := v_closed_at;
    place := v_place + 1;
    length := v_length;
    hash := v_hash;
    RETURN NEXT;
  END LOOP;

  IF cardinality(v_ids) > 0 THEN
    INSERT INTO observe.events (run_id, seq, event_id, kind, bytes, at, hash)
      SELECT * FROM unnest(v_event_runs, v_seqs, v_ids, v_kinds, v_texts, v_times, v_hashes);
    UPDATE observe.heads h SET length = n.length, hash = n.hash, closed_at = n.closed_at
      FROM unnest(v_runs, v_before, v_lengths, v_heads, v_closed) AS n (run, before, length, hash, closed_at)
      WHERE h.run_id = n.run AND n.length > n.before;
    PERFORM audit.ack(n.run, 'logs', 'start_trace', 'done', '{"table": "observe.events", "seq": 1}')
      FROM unnest(v_runs, v_before, v_lengths) AS n (run, before, length) WHERE n.before = 0 AND n.length > 0;
  END IF;
END $$;
COMMENT ON FUNCTION observe.append_together(jsonb) IS
  'Appends to the traces of several runs under their heads'' locks; rok_observe only, which may write the trace in no other way. An id already there is a no-op; after run.closing nothing new is taken.';
GRANT EXECUTE ON FUNCTION observe.append_together(jsonb) TO rok_observe;

CREATE OR REPLACE FUNCTION observe.append(p_run uuid, p_events jsonb, OUT length bigint, OUT hash bytea)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = observe, pg_temp AS $$
  SELECT t.length, t.hash FROM observe.append_together(jsonb_build_array(jsonb_build_object('run', p_run, 'events', p_events))) t
$$;
COMMENT ON FUNCTION observe.append(uuid, jsonb) IS 'As observe.append_together for one run; rok_observe only.';
GRANT EXECUTE ON FUNCTION observe.append(uuid, jsonb) TO rok_observe;

RESET ROLE;
