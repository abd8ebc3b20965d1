package stomp;

import com.fasterxml.jackson.databind.json.JsonMapper;
import java.security.Principal;
import java.util.Base64;
import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.messaging.Message;
import org.springframework.messaging.MessageChannel;
import org.springframework.messaging.handler.annotation.MessageMapping;
import org.springframework.messaging.simp.SimpMessageType;
import org.springframework.messaging.simp.SimpMessagingTemplate;
import org.springframework.messaging.simp.annotation.SendToUser;
import org.springframework.messaging.simp.config.ChannelRegistration;
import org.springframework.messaging.simp.config.MessageBrokerRegistry;
import org.springframework.messaging.simp.stomp.StompHeaderAccessor;
import org.springframework.messaging.support.ChannelInterceptor;
import org.springframework.messaging.support.MessageHeaderAccessor;
import org.springframework.scheduling.concurrent.ThreadPoolTaskScheduler;
import org.springframework.stereotype.Controller;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.ResponseBody;
import org.springframework.web.socket.config.annotation.EnableWebSocketMessageBroker;
import org.springframework.web.socket.config.annotation.StompEndpointRegistry;
import org.springframework.web.socket.config.annotation.WebSocketMessageBrokerConfigurer;

/** Spring's simple broker, with which the gateway is compared. Its REST paths have the form of those of the gateway. */
@SpringBootApplication
@EnableWebSocketMessageBroker
@Controller
public class Broker implements WebSocketMessageBrokerConfigurer {
    @Override
    public void registerStompEndpoints(StompEndpointRegistry registry) {
        registry.addEndpoint("/ws").setAllowedOriginPatterns("*");
        registry.addEndpoint("/ws").setAllowedOriginPatterns("*").withSockJS();
    }

    @Override
    public void configureMessageBroker(MessageBrokerRegistry registry) {
        ThreadPoolTaskScheduler heartbeats = new ThreadPoolTaskScheduler();
        heartbeats.initialize();
        registry.enableSimpleBroker("/topic", "/queue").setTaskScheduler(heartbeats).setHeartbeatValue(new long[] {1000, 1000});
        registry.setApplicationDestinationPrefixes("/app").setPreservePublishOrder(true);
    }

    /** Takes the user from the token of CONNECT. Tests trust each other, so nothing checks the signature. */
    @Override
    public void configureClientInboundChannel(ChannelRegistration registration) {
        registration.taskExecutor().corePoolSize(1); // keeps the order of a connection's frames
        registration.interceptors(new ChannelInterceptor() {
            @Override
            public Message<?> preSend(Message<?> message, MessageChannel channel) {
                StompHeaderAccessor accessor = MessageHeaderAccessor.getAccessor(message, StompHeaderAccessor.class);
                String token = accessor.getFirstNativeHeader("Authorization");
                if (accessor.getMessageType() == SimpMessageType.CONNECT && token != null) accessor.setUser(userOf(token));
                return message;
            }
        });
    }

    private static Principal userOf(String token) {
        try {
            String name = new JsonMapper().readTree(Base64.getUrlDecoder().decode(token.split("\\.")[1])).get("sub").asText();
            return () -> name;
        } catch (Exception error) {
            throw new IllegalArgumentException("bad token", error);
        }
    }

    /** The service of the tests. */
    @Controller
    static class Shop {
        record Question(String item) {}

        record Price(String item, int price) {}

        private final SimpMessagingTemplate messages;

        Shop(SimpMessagingTemplate messages) {
            this.messages = messages;
        }

        /** The answer goes to /user/queue/shop/price. */
        @MessageMapping("/shop/price")
        @SendToUser
        Price price(Question question) {
            return new Price(question.item(), 42);
        }

        @PostMapping("/v1/channels/{channel}/publications")
        @ResponseBody
        Map<String, ?> publish(@PathVariable String channel, @RequestBody Map<String, Object> body) {
            messages.convertAndSend("/topic/" + channel, body.get("data"));
            return Map.of();
        }

        @PostMapping("/v1/users/{user}/messages")
        @ResponseBody
        Map<String, ?> message(@PathVariable String user, @RequestBody Map<String, Object> body) {
            messages.convertAndSendToUser(user, "/queue/" + body.get("queue"), body.get("data"));
            return Map.of();
        }
    }

    public static void main(String[] arguments) {
        SpringApplication.run(Broker.class, arguments);
    }
}
