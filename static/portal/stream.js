// Reading a streamed chat completion; knows the wire format, nothing of the page.

export class GatewayError extends Error {
  constructor(message, status, code) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

// Calls onDelta(text) as text arrives. Returns {usage, finished}: finished is false when the stream just ended.
export async function streamCompletion(address, token, body, { signal, onDelta }) {
  const response = await fetch(address, {
    method: "POST",
    signal,
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true } }),
  });
  if (!response.ok) throw await refusal(response);
  const state = { usage: null, finished: false };
  for await (const data of serverEvents(response.body)) {
    if (data === "[DONE]") { state.finished = true; break; }
    const chunk = JSON.parse(data);
    if (chunk.error) throw new GatewayError(chunk.error.message, 0, chunk.error.code);
    if (chunk.usage) state.usage = chunk.usage;
    const text = chunk.choices?.[0]?.delta?.content;
    if (text) onDelta(text);
  }
  return state;
}

async function refusal(response) {
  let error = {};
  try { error = (await response.json()).error ?? {}; } catch { /* not ours: the status has to do */ }
  return new GatewayError(error.message ?? `HTTP ${response.status}`, response.status, error.code);
}

// The data of each event of a text/event-stream body, in order.
async function* serverEvents(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  let data = [];
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    waiting += value;
    const lines = waiting.split(/\r\n|\n|\r(?!$)/);
    waiting = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (data.length) yield data.join("\n");
        data = [];
      } else if (line.startsWith("data:")) {
        data.push(line.slice(line[5] === " " ? 6 : 5));
      }
    }
  }
}
