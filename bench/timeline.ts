/** Where a run's time went by its Temporal history: how long tasks waited to be picked up, and how long they took. */
import type { Client } from '@temporalio/client';

type Span = { count: number; ms: number };
type Time = { readonly seconds?: unknown; readonly nanos?: number | null } | null | undefined;

/** One line for each kind of span, and one with the counts of events. */
export async function timelineOf(client: Client, workflowId: string): Promise<readonly string[]> {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  const spans = new Map<string, Span>();
  const kinds = new Map<string, number>();
  const times = new Map<string, number>();
  const names = new Map<string, string>();
  const add = (name: string, ms: number): void => {
    const span = spans.get(name) ?? { count: 0, ms: 0 };
    spans.set(name, { count: span.count + 1, ms: span.ms + ms });
  };
  let last = NaN;
  for (const event of events ?? []) {
    const at = msOf(event.eventTime);
    last = at;
    times.set(String(event.eventId), at);
    const since = (id: unknown): number => at - (times.get(String(id)) ?? NaN);
    const kind = Object.keys(event).find(
      (key) => key.endsWith('EventAttributes') && isThere(event[key as keyof typeof event]),
    );
    const name = (kind ?? '').replace('EventAttributes', '');
    kinds.set(name, (kinds.get(name) ?? 0) + 1);
    const scheduled = event.activityTaskScheduledEventAttributes;
    const started = event.activityTaskStartedEventAttributes;
    const completed = event.activityTaskCompletedEventAttributes;
    if (isThere(scheduled)) names.set(String(event.eventId), scheduled.activityType?.name ?? '');
    if (isThere(started))
      add(
        `${names.get(String(started.scheduledEventId)) ?? ''}: waits for its worker`,
        since(started.scheduledEventId),
      );
    if (isThere(completed))
      add(`${names.get(String(completed.scheduledEventId)) ?? ''}: runs`, since(completed.startedEventId));
    const begun = event.workflowTaskStartedEventAttributes;
    const done = event.workflowTaskCompletedEventAttributes;
    if (isThere(begun)) add('workflow task: waits for its worker', since(begun.scheduledEventId));
    if (isThere(done)) add('workflow task: runs, local activities included', since(done.startedEventId));
  }
  const total = last - msOf(events?.[0]?.eventTime);
  return [
    `${workflowId}: ${total.toFixed(0)} ms by its history; ${[...kinds].map(([kind, count]) => `${count} ${kind}`).join(', ')}`,
    ...[...spans].map(
      ([name, { count, ms }]) =>
        `${ms.toFixed(0).padStart(8)} ms = ${String(count).padStart(3)} × ${(ms / count).toFixed(1)} ms  ${name}`,
    ),
  ];
}

const msOf = (time: Time): number => Number(time?.seconds ?? NaN) * 1000 + (time?.nanos ?? 0) / 1e6;

function isThere<T>(value: T): value is NonNullable<T> {
  return value !== null && value !== undefined;
}
