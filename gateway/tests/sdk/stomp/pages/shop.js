// A React page for a Spring STOMP broker. It runs without a build, so it calls createElement where a project would write JSX.

const { createElement: h, useEffect, useRef, useState } = React;

/** `transport` says where the broker is. It is all that differs between the pages and between the brokers. */
function Shop({ transport, token }) {
    const [isConnected, setConnected] = useState(false);
    const [messages, setMessages] = useState([]);
    const [text, setText] = useState('');
    const client = useRef();

    useEffect(() => {
        const show = ({ headers, body }) => setMessages((all) => [...all, `${headers.destination} ${body}`]);
        const stomp = new StompJs.Client({
            ...transport,
            connectHeaders: { Authorization: `Bearer ${token}` },
            reconnectDelay: 200,
            onConnect: () => {
                stomp.subscribe('/topic/chat', show);
                stomp.subscribe('/user/queue/notes', show);
                stomp.subscribe('/user/queue/shop/price', show);
                setConnected(true);
            },
            onWebSocketClose: () => setConnected(false),
            onStompError: ({ headers }) => setMessages((all) => [...all, `error ${headers.message}`]),
        });
        client.current = stomp;
        stomp.activate();
        return () => stomp.deactivate();
    }, [transport, token]);

    const say = (event) => {
        event.preventDefault();
        client.current.publish({ destination: '/topic/chat', body: JSON.stringify({ text }) });
        setText('');
    };
    const ask = () => client.current.publish({ destination: '/app/shop/price', body: JSON.stringify({ item: 'tea' }), headers: { 'content-type': 'application/json' } });

    return h('main', { 'data-connected': isConnected },
        h('form', { onSubmit: say }, h('input', { value: text, onChange: (event) => setText(event.target.value) })),
        h('button', { onClick: ask }, 'Price of tea'),
        h('ol', null, messages.map((message, index) => h('li', { key: index }, message))),
    );
}

/** Shows the page. The query has the URL of the broker and the user's token. */
function show(transportTo) {
    const query = new URLSearchParams(location.search);
    const transport = transportTo(query.get('broker'));
    ReactDOM.createRoot(document.getElementById('root')).render(h(Shop, { transport, token: query.get('token') }));
}
