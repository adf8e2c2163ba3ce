# The broker in a container. Untried: where this was written no image can be built.
#
#   docker build -t kaska .
#   docker run -p 9092:9092 -v kaska-data:/data kaska
#
# `docker stop` sends SIGTERM, which is a clean stop.
FROM node:24-slim
WORKDIR /kaska
COPY package.json package-lock.json .npmrc ./
COPY packages ./packages
RUN npm ci && mkdir /data && chown node /data
USER node
VOLUME /data
EXPOSE 9092
ENTRYPOINT ["node", "packages/kaska/bin/kaska.js"]
CMD ["serve", "--host", "0.0.0.0", "--no-http", "--data", "/data"]
