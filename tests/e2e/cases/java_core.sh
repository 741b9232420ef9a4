cat >J.java <<'J'
import java.util.*; import java.util.concurrent.*; import java.net.*; import java.io.*;
public class J {
	static class Node { Node n; byte[] b = new byte[100]; }
	public static void main(String[] a) throws Exception {
		try { Object o = a.length > 5 ? "" : null; o.hashCode(); } catch (NullPointerException e) { System.out.println("NPE"); }
		Node npe = null; int caught = 0;
		for (int i = 0; i < 20000; i++) { try { Node x = i % 2 == 0 ? npe : new Node(); x.n = x; } catch (NullPointerException e) { caught++; } }
		System.out.println(caught);
		try { System.out.println(1 / (a.length)); } catch (ArithmeticException e) { System.out.println("AE"); }
		try { rec(0); } catch (StackOverflowError e) { System.out.println("SOE"); }
		ExecutorService ex = Executors.newFixedThreadPool(8); List<Future<Long>> f = new ArrayList<>();
		for (int i = 0; i < 64; i++) { final int k = i; f.add(ex.submit(() -> { long s = 0; for (int j = 0; j < 100000; j++) s += j ^ k; return s; })); }
		long t = 0; for (Future<Long> x : f) t += x.get(); System.out.println(t); ex.shutdown();
		long g = 0; for (int i = 0; i < 2000000; i++) { Node n = new Node(); g += n.b.length; } System.out.println(g);
		ServerSocket s = new ServerSocket(0, 5, InetAddress.getLoopbackAddress());
		Thread th = new Thread(() -> { try (Socket c = s.accept()) { c.getOutputStream().write("hi\n".getBytes()); } catch (IOException e) { } }); th.start();
		System.out.println(new BufferedReader(new InputStreamReader(new Socket(s.getInetAddress(), s.getLocalPort()).getInputStream())).readLine()); th.join();
		Process p = new ProcessBuilder("sh", "-c", "echo sub; exit 3").start(); System.out.println(new String(p.getInputStream().readAllBytes()).trim() + p.waitFor());
		Thread.sleep(20); System.exit(5);
	}
	static int rec(int i) { return rec(i + 1) + 1; }
}
J
javac J.java 2>/dev/null || exit 9
$RUN java -cp . J
echo "rc $?"
