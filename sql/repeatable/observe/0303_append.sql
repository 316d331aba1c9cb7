-- The one way into the trace. Number, time and hash are given here, never by the caller.
SET ROLE rok_observe_owner;

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
  v_heads observe.heads[];
  v_lengths bigint[];
  v_known text[];
  v_head integer;
  v_events jsonb;
  v_added observe.events[];
  v_last observe.events;
  v_all observe.events[] := '{}';
BEGIN
  v_heads := ARRAY(SELECT h FROM observe.lock_heads(ARRAY(SELECT a.run FROM jsonb_to_recordset(p_appends) AS a (run uuid))) AS h);
  SELECT array_agg(h.run_id), array_agg(h.length) INTO v_runs, v_lengths FROM unnest(v_heads) AS h;
  -- A statement of its own, after the locks: what another append wrote meanwhile is seen.
  v_known := ARRAY(SELECT a.run || ' ' || (e.item ->> 'id')
    FROM jsonb_to_recordset(p_appends) AS a (run uuid, events jsonb)
    CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(a.events) WHEN 'array' THEN a.events ELSE '[]' END) AS e (item)
    CROSS JOIN LATERAL (SELECT FROM observe.events o WHERE o.run_id = a.run AND o.event_id = e.item ->> 'id' OFFSET 0) o);

  FOR v_place IN 0 .. jsonb_array_length(p_appends) - 1 LOOP
    v_events := p_appends -> v_place -> 'events';
    IF jsonb_typeof(v_events) IS DISTINCT FROM 'array' OR jsonb_array_length(v_events) NOT BETWEEN 1 AND 256 THEN
      RAISE EXCEPTION 'an append takes 1 to 256 events' USING ERRCODE = '22023';
    END IF;
    v_head := array_position(v_runs, (p_appends -> v_place ->> 'run')::uuid);
    v_added := ARRAY(SELECT e FROM observe.chain_events(v_heads[v_head], v_events, v_known) AS e);
    IF cardinality(v_added) > 0 THEN
      v_last := v_added[cardinality(v_added)];
      v_heads[v_head].length := v_last.seq;
      v_heads[v_head].hash := v_last.hash;
      v_heads[v_head].closed_at := CASE v_last.kind WHEN 'run.closing' THEN v_last.at END;
      v_known := v_known || ARRAY(SELECT e.run_id || ' ' || e.event_id FROM unnest(v_added) AS e);
      v_all := v_all || v_added;
    END IF;
    place := v_place + 1;
    length := v_heads[v_head].length;
    hash := v_heads[v_head].hash;
    RETURN NEXT;
  END LOOP;

  IF cardinality(v_all) > 0 THEN
    INSERT INTO observe.events (run_id, seq, event_id, kind, bytes, at, hash)
      SELECT e.run_id, e.seq, e.event_id, e.kind, e.bytes, e.at, e.hash FROM unnest(v_all) AS e;
    UPDATE observe.heads h SET length = n.length, hash = n.hash, closed_at = n.closed_at
      FROM unnest(v_heads, v_lengths) AS n (run_id, length, hash, closed_at, before)
      WHERE h.run_id = n.run_id AND n.length > n.before;
    PERFORM audit.ack(n.run_id, 'logs', 'start_trace', 'done', '{"table": "observe.events", "seq": 1}')
      FROM unnest(v_heads, v_lengths) AS n (run_id, length, hash, closed_at, before) WHERE n.before = 0 AND n.length > 0;
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
