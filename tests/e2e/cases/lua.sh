$RUN lua5.4 -e 'local t = {} for i = 1, 1000 do t[i] = i * i end print(#t, t[1000], string.rep("ab", 3), 10 // 3, 2^0.5)
print(io.popen("echo hi"):read("a")) print(os.execute("exit 3")) print(pcall(error, "x")) print(os.getenv("NOTHERE")) os.exit(4)'
echo "rc $?"
