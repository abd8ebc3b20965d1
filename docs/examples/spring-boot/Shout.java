package shout;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
@SpringBootApplication
public class Shout { public static void main(String[] a){ SpringApplication.run(Shout.class,a);} }
