-- How an attempt ended, written once: the primary key refuses a second end.
SET ROLE rok_execute_owner;

-- The digest of a result row: SHA-256 over the tag and every column, each as text preceded by its length in bytes (8 bytes,
-- big endian), NULL as the empty text. The same in src/execute/calls/result-row.ts.
CREATE FUNCTION execute.result_digest(
  p_run uuid, p_step integer, p_attempt integer, p_status text, p_content_digest text,
  p_input_tokens bigint, p_output_tokens bigint, p_cached_tokens bigint, p_reasoning_tokens bigint, p_usage_reported boolean,
  p_code text, p_retry_after_ms bigint, p_cause text, p_reported_model text, p_finish_reason text
) RETURNS text LANGUAGE sql STABLE SET search_path = execute, pg_temp AS $$
  SELECT encode(sha256(string_agg(int8send(octet_length(bytes)) || bytes, ''::bytea ORDER BY n)), 'hex')
  FROM unnest(ARRAY[
    'rok.result.v1', p_run::text, p_step::text, p_attempt::text, p_status, p_content_digest,
    p_input_tokens::text, p_output_tokens::text, p_cached_tokens::text, p_reasoning_tokens::text, p_usage_reported::text,
    p_code, p_retry_after_ms::text, p_cause, p_reported_model, p_finish_reason
  ]) WITH ORDINALITY AS part (value, n), convert_to(coalesce(value, ''), 'UTF8') AS bytes
$$;
COMMENT ON FUNCTION execute.result_digest IS
  'Called by rok_execute and by execute.fence, through the CHECK of execute.results: a row cannot misstate its digest.';

CREATE TABLE execute.results (
  run_id uuid NOT NULL,
  step integer NOT NULL,
  attempt integer NOT NULL,
  status rok.result_status NOT NULL,
  content_digest rok.sha256_hex,
  input_tokens rok.amount,
  output_tokens rok.amount,
  cached_tokens rok.amount,
  reasoning_tokens rok.amount,
  usage_reported boolean,
  code rok.text_64,
  retry_after_ms rok.amount,
  cause rok.text_200,
  reported_model rok.text_200,
  finish_reason rok.text_64,
  digest text NOT NULL,
  finished_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (run_id, step, attempt),
  FOREIGN KEY (run_id, step, attempt) REFERENCES execute.attempts,
  CHECK ((status = 'succeeded') = (content_digest IS NOT NULL)),
  CHECK ((status = 'succeeded') = (num_nulls(input_tokens, output_tokens, cached_tokens, reasoning_tokens, usage_reported) = 0)),
  CHECK ((status = 'failed') = (code IS NOT NULL)),
  CHECK ((status = 'unknown') = (cause IS NOT NULL)),
  CHECK (digest = execute.result_digest(
    run_id, step, attempt, status, content_digest, input_tokens, output_tokens, cached_tokens, reasoning_tokens,
    usage_reported, code, retry_after_ms, cause, reported_model, finish_reason))
);

RESET ROLE;
