// Compiles Solidity with a pinned solc-js. Reads {compiler, roots, entries, settings} as JSON on stdin, writes
// {"<file>:<contract>": {abi, bytecode, linkReferences, runtimeBytes}} as JSON on stdout, errors on stderr.
"use strict";
const fs = require("fs");
const path = require("path");

const request = JSON.parse(fs.readFileSync(0, "utf8"));
const solc = require(request.compiler);

function read(name) {
  for (const root of request.roots) {
    const file = path.join(root, name);
    if (fs.existsSync(file)) return fs.readFileSync(file, "utf8");
  }
  return null;
}

const sources = {};
const outputSelection = {};
for (const entry of request.entries) {
  const content = read(entry);
  if (content === null) throw new Error(`source not found: ${entry}`);
  sources[entry] = { content };
  outputSelection[entry] = {
    "*": ["abi", "evm.bytecode.object", "evm.bytecode.linkReferences", "evm.deployedBytecode.object"],
  };
}

const input = { language: "Solidity", sources, settings: { ...request.settings, outputSelection } };
const found = (name) => {
  const contents = read(name);
  return contents === null ? { error: `source not found: ${name}` } : { contents };
};
const output = JSON.parse(solc.compile(JSON.stringify(input), { import: found }));

const errors = (output.errors || []).filter((one) => one.severity === "error");
if (errors.length > 0) {
  for (const one of errors.slice(0, 5)) console.error(one.formattedMessage);
  process.exit(1);
}

const artifacts = {};
for (const [file, contracts] of Object.entries(output.contracts)) {
  for (const [name, contract] of Object.entries(contracts)) {
    artifacts[`${file}:${name}`] = {
      abi: contract.abi,
      bytecode: contract.evm.bytecode.object,
      linkReferences: contract.evm.bytecode.linkReferences,
      runtimeBytes: contract.evm.deployedBytecode.object.length / 2,
    };
  }
}
process.stdout.write(JSON.stringify(artifacts));
