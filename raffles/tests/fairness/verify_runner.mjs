/**
 * Judges proofs with verify.js: a JSON object a line in, the verdict a line out.
 *
 *     node verify_runner.mjs .../verify.js
 *
 * Each request maps the options of verify() to files in base64; "proof" is the proof.
 */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

// A data URL is a module everywhere; a .js file is one only beside a package.json that says so.
const source = readFileSync(process.argv[2]).toString("base64");
const { verify, Unreadable } = await import(`data:text/javascript;base64,${source}`);

async function judge(files) {
  const options = {};
  for (const [name, content] of Object.entries(files)) options[name] = Buffer.from(content, "base64");
  const told = [];
  try {
    const answer = await verify(options.proof, { ...options, onStep: (step) => told.push(step) });
    return { ...answer, told };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { verdict: "UNREADABLE", valid: false, steps: told, told };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await judge(JSON.parse(line))));
}
