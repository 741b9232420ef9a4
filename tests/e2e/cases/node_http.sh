cat >n.js <<'N'
const http = require('http');
const s = http.createServer((q, r) => { let n = 0; q.on('data', d => n += d.length); q.on('end', () => r.end(q.url + ' ' + n)); });
s.listen(0, '127.0.0.1', async () => {
	const port = s.address().port, one = i => new Promise((ok, no) => {
		const q = http.request({ port, host: '127.0.0.1', path: '/' + i, method: 'POST' }, r => { let b = ''; r.on('data', d => b += d); r.on('end', () => ok(b)); });
		q.on('error', no); q.end('y'.repeat(i * 100));
	});
	const all = await Promise.all([...Array(300).keys()].map(one));
	console.log(all.length, all[7], all[299]); s.close();
});
N
$RUN node n.js
