cat >n.js <<'N'
const fs = require('fs'), cp = require('child_process'), crypto = require('crypto'), { Worker, isMainThread, parentPort } = require('worker_threads');
if (!isMainThread) { parentPort.postMessage([...Array(1000).keys()].reduce((a, b) => a + b)); }
else {
	console.log(crypto.createHash('sha256').update('x'.repeat(100000)).digest('hex'));
	fs.writeFileSync('f', 'data'); console.log(fs.readFileSync('f', 'utf8'), fs.statSync('f').size);
	console.log(cp.spawnSync('sh', ['-c', 'echo sub; exit 3']).status);
	try { fs.readFileSync('/nothere'); } catch (e) { console.log(e.code); }
	fs.readFile('f', (e, d) => console.log('async', d.toString()));
	setTimeout(() => {
		let n = 0; for (let i = 0; i < 4; i++) new Worker(__filename).on('message', m => { if (++n === 4) console.log('workers', n, m); });
	}, 50);
	process.on('exit', c => console.log('exit', c)); process.exitCode = 6;
}
N
$RUN node n.js
echo "rc $?"
