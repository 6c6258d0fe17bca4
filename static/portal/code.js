// The request of the playground as code; writes text, runs nothing.

const quoteShell = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

function curl(baseUrl, request) {
  const body = JSON.stringify({ ...request, stream: true }, null, 2);
  return [
    `curl -N ${baseUrl}/chat/completions \\`,
    `  -H "Authorization: Bearer $LUMOS_API_KEY" \\`,
    `  -H "Content-Type: application/json" \\`,
    `  -d ${quoteShell(body)}`,
  ].join("\n");
}

function python(baseUrl, request) {
  const options = Object.entries(request).map(([name, value]) => `    ${name}=${literal(value, "    ")},`);
  return [
    "import os",
    "",
    "from openai import OpenAI",
    "",
    `client = OpenAI(base_url=${literal(baseUrl)}, api_key=os.environ["LUMOS_API_KEY"])`,
    "stream = client.chat.completions.create(",
    ...options,
    "    stream=True,",
    ")",
    "for chunk in stream:",
    "    if chunk.choices:",
    `        print(chunk.choices[0].delta.content or "", end="", flush=True)`,
  ].join("\n");
}

// JSON strings and numbers are Python literals too.
function literal(value, indent = "") {
  if (!Array.isArray(value)) return JSON.stringify(value);
  const rows = value.map((message) => `${indent}    {"role": ${literal(message.role)}, "content": ${literal(message.content)}},`);
  return `[\n${rows.join("\n")}\n${indent}]`;
}

export const codeFor = { curl, python };
