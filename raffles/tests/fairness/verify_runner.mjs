/**
 * Judges proofs with verify.js: a JSON object a line in, the answer a line out.
 *
 *     node verify_runner.mjs .../verify.js
 *
 * Each request maps the files of verify() to base64, or asks with "call" for another function:
 * {"call": "outcomeOf", "commitment", "inclusion", "signature"}.
 */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

// A data URL is a module everywhere; a .js file is one only beside a package.json that says so.
const source = readFileSync(process.argv[2]).toString("base64");
const { verify, outcomeOf } = await import(`data:text/javascript;base64,${source}`);

async function judge(coded) {
  const files = {};
  for (const [name, content] of Object.entries(coded)) files[name] = Buffer.from(content, "base64");
  const told = [];
  const answer = await verify(files, { onStep: (step) => told.push(step) });
  return { ...answer, told };
}

async function outcome({ signature, ...files }) {
  try {
    return await outcomeOf(files, signature);
  } catch (error) {
    return { refused: error.message };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { call, ...asked } = JSON.parse(line);
  console.log(JSON.stringify(call === "outcomeOf" ? await outcome(asked) : await judge(asked)));
}
