-- Rate limits by GCRA. A limit is data; its state is one number per subject, the theoretical arrival time (TAT) of the next
-- call. A call at time t conforms if greatest(TAT, t) - t <= (burst - 1) * every, and moves TAT to greatest(TAT, t) + every:
-- no stretch of time dt admits more than burst + dt / every calls. Only a call that a decision allowed moves it.
SET ROLE rok_decide_owner;

CREATE TABLE decide.rate_limits (
  scope text NOT NULL CHECK (scope IN ('tenant', 'agent', 'model', 'skill')),
  -- Tenant; `tenant/agent`; `provider/model`; skill without its version. `*`: each, by itself, that has no row of its own
  -- with this enforcement.
  subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 300),
  -- A run waits for a soft limit; its call is denied by a hard one.
  enforcement text NOT NULL CHECK (enforcement IN ('soft', 'hard')),
  calls integer NOT NULL CHECK (calls BETWEEN 1 AND 1000000),
  period_s integer NOT NULL CHECK (period_s BETWEEN 1 AND 2678400),
  -- How many may come at once after a rest.
  burst integer NOT NULL CHECK (burst BETWEEN 1 AND 1000000),
  -- From one call to the next in microseconds, rounded up: never faster than said.
  every_us bigint GENERATED ALWAYS AS ((period_s * 1000000::bigint + calls - 1) / nullif(calls, 0)) STORED,
  PRIMARY KEY (scope, subject, enforcement),
  -- A whole burst is back within a year: so much is exact as a number of JSON too.
  CONSTRAINT burst_within_a_year CHECK (burst * every_us <= 31622400000000)
);

-- Made on first use. What a limit says may change while its state goes on.
CREATE TABLE decide.rate_states (
  scope text NOT NULL CHECK (scope IN ('tenant', 'agent', 'model', 'skill')),
  subject text NOT NULL,
  enforcement text NOT NULL CHECK (enforcement IN ('soft', 'hard')),
  -- Microseconds since the Unix epoch, by decide.clock().
  tat_us bigint NOT NULL DEFAULT 0 CHECK (tat_us >= 0),
  PRIMARY KEY (scope, subject, enforcement)
) WITH (fillfactor = 50);

RESET ROLE;
