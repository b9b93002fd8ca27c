FROM node:22-slim
WORKDIR /app
COPY . .
RUN npm ci && npm run build:plugin && npm run build:demo
USER node
EXPOSE 3000
ENTRYPOINT ["node", "demo/dist/cli.js"]
